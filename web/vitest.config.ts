import { defineConfig } from 'vitest/config'

export default defineConfig({
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  test: {
    include: ['tests/**/*.test.{ts,tsx}'],
    environment: 'node',
    // The seeded runs take half a second each, and many times that on a machine that is busy with other suites.
    testTimeout: 30_000,
  },
})
