import { struct, u16 } from '@pcikit/wire'

/** The fixed part of a VERSION message; JSON with its NUL may follow. [vfio-user] "VFIO_USER_VERSION". */
export const VersionLayout = struct('Version', 4, { major: u16(0), minor: u16(2) })
