import type { InterruptMode, Interrupts } from '@pcikit/core'

/** Counts interrupts. */
export class FakeInterrupts implements Interrupts {
  mode: InterruptMode = 'msix'
  vectorCount = 65
  readonly triggered: number[] = []
  isAsserted = false

  trigger (vector: number): void {
    this.triggered.push(vector)
  }

  setIntx (isAsserted: boolean): void {
    this.isAsserted = isAsserted
  }
}
