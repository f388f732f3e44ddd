import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['test/*.test.ts'] } },
      // A guest takes its time to boot, where it is emulated above all.
      { test: { name: 'vm', include: ['test/vm/*.test.ts'], testTimeout: 600_000, hookTimeout: 600_000 } }
    ]
  }
})
