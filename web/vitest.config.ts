import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  resolve: {
    alias: {
      '@codemirror/lang-html': fileURLToPath(new URL('src/editor/plain-html.ts', import.meta.url)),
    },
  },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  test: {
    include: ['tests/**/*.test.{ts,tsx}'],
    environment: 'node',
    server: {
      // Inlined so that the alias above reaches the import inside lang-markdown, as it does in the build.
      deps: { inline: ['@codemirror/lang-markdown'] },
    },
  },
})
