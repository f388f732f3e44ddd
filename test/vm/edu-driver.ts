/** Memory that the kernel leaves alone, below 256 MiB since the DMA engine has 28 bits of an address. */
export const reserved = 0x800_0000

/** The driver of the educational device, as far as a shell can be one. */
export const eduDriver = `
edu=$(lspci -Dd 1234:11e8 | cut -d ' ' -f 1)
bar=$(head -n 1 /sys/bus/pci/devices/$edu/resource | cut -d ' ' -f 1)
memory=${reserved}
buffer=$((0x40000))
get () { devmem $((bar + $1)) "\${2:-32}"; }
put () { devmem $((bar + $1)) "\${3:-32}" $(($2)); }
# SOURCE DESTINATION COUNT COMMAND
transfer () {
  put 0x80 $1 64
  put 0x88 $2 64
  put 0x90 $3 64
  put 0x98 $4
  until [ $(($(get 0x98) & 1)) = 0 ]; do :; done
}
# What happened since the last time, once something did.
next_interrupt () { dd bs=4 count=1 <&3 2>/dev/null | od -An -tu4; }
`
