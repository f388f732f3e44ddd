// Addresses of UNIX sockets whose folder may be longer than an address can be.

#ifndef PCIKIT_UNIX_ADDRESS_H_
#define PCIKIT_UNIX_ADDRESS_H_

#include <sys/socket.h>
#include <sys/un.h>

#include <string>

namespace pcikit {

/**
 * The folder of a socket path, held open: names in it stay reachable through /proc/self/fd when the whole path does
 * not fit the 107 bytes of an address.
 */
class SocketFolder {
 public:
  SocketFolder () = default;
  ~SocketFolder ();
  SocketFolder (const SocketFolder&) = delete;
  SocketFolder& operator= (const SocketFolder&) = delete;

  /** Splits `path` and opens its folder; returns 0 or an errno. */
  int Open (const std::string& path);
  /** Makes the address of `name` inside the folder; returns 0, or ENAMETOOLONG when the name alone is too long. */
  int Address (const std::string& name, sockaddr_un* address, socklen_t* length) const;

  int fd () const { return fd_; }
  const std::string& name () const { return name_; }
  /** Hands the open folder to the caller. */
  int Take ();

 private:
  int fd_ = -1;
  std::string prefix_;
  std::string name_;
};

}  // namespace pcikit

#endif  // PCIKIT_UNIX_ADDRESS_H_
