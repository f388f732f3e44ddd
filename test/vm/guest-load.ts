// I/O that goes on in a guest while something happens to its disk or to its memory.
import type { Guest } from '@pcikit/testkit/vm'
import type { GuestDisk } from './disk-scenarios.js'

/** Where the load writes: past the file system that {@link makeFileSystem} makes. */
const loadOffset = '128m'
/** More requests than fio has in flight, so that some of them are new. */
const newRequests = 64

/** fio that writes and verifies until it is told to stop, or until its disk is gone. */
export class GuestLoad {
  readonly #guest: Guest
  readonly #name: string

  private constructor (guest: Guest, disk: GuestDisk) {
    this.#guest = guest
    this.#name = disk.path.replace('/dev/', '')
  }

  /** Starts it and waits until the disk is busy. */
  static async start (guest: Guest, disk: GuestDisk): Promise<GuestLoad> {
    const fio = [
      `fio --name=load --filename=${disk.path} --offset=${loadOffset} --size=16m --ioengine=libaio --direct=1`,
      '--iodepth=16 --rw=randwrite --bsrange=4k-64k --verify=crc32c --verify_fatal=1'
    ].join(' ')
    await guest.check([
      'rm -f /run/load-*',
      "cat >/run/load <<'END'",
      'status=0',
      `until [ -e /run/load-stop ]; do ${fio} >/run/load-log 2>&1 || { status=$?; break; }; done`,
      'echo $status >/run/load-status.new; mv /run/load-status.new /run/load-status',
      'END',
      'sh /run/load </dev/null >/dev/null 2>&1 &'
    ].join('\n'))
    const load = new GuestLoad(guest, disk)
    await load.proceeds()
    return load
  }

  /** Waits until the disk has answered more than what it may have had before. */
  async proceeds (): Promise<void> {
    await this.#guest.check([
      `finished () { read -r reads _ _ _ writes _ </sys/block/${this.#name}/stat; echo $((reads + writes)); }`,
      `goal=$(($(finished) + ${newRequests}))`,
      'until [ "$(finished)" -ge "$goal" ]; do',
      '  if [ -e /run/load-status ]; then cat /run/load-log; exit 1; fi',
      '  sleep 0.1',
      'done'
    ].join('\n'))
  }

  /** Has the guest run a command at a moment when requests are in flight. */
  async runAmid (command: string): Promise<void> {
    const busy = `read -r reads writes </sys/block/${this.#name}/inflight; [ $((reads + writes)) -gt 0 ]`
    await this.#guest.check(`until ${busy}; do :; done\n${command}`)
  }

  /**
   * Lets it verify what it wrote last, and ends it.
   *
   * @throws When anything was lost; the message has what fio said.
   */
  async stop (): Promise<void> {
    await this.#guest.check('touch /run/load-stop')
    if (await this.end() !== 0) throw new Error(`The load failed:\n${await this.#guest.check('cat /run/load-log')}`)
  }

  /** Waits until it has ended, and returns its status. */
  async end (): Promise<number> {
    return Number(await this.#guest.check('until [ -e /run/load-status ]; do sleep 0.1; done; cat /run/load-status'))
  }
}
