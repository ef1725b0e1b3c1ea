import { effect, signal } from '@preact/signals'
import type { ComponentType, JSX } from 'preact'
import { say } from '../toast'
import { sheet } from './desk'

const loaded = signal<ComponentType | null>(null)

// The sheets come in a chunk of their own, with the first one that is opened: the first caret does not wait for them.
effect(() => {
  if (!sheet.value || loaded.peek()) return
  import('./sheets')
    .then(({ Sheets }) => {
      loaded.value = Sheets
    })
    .catch((failed: unknown) => {
      console.error(failed)
      sheet.value = null
      say('This cannot be loaded right now. Check your connection and try again.')
    })
})

/** The sheet that is open, if any. */
export const Sheets = (): JSX.Element | null => {
  const Loaded = loaded.value
  return Loaded && <Loaded />
}
