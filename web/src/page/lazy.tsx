import { effect, signal } from '@preact/signals'
import type { ComponentType, JSX } from 'preact'
import { say } from './toasts'

/**
 * A part of the page that comes in a chunk of its own, once it is wanted: the first caret does not wait for it.
 * `failed` takes the wish back.
 */
export const lazily = (
  isWanted: () => boolean,
  load: () => Promise<ComponentType>,
  failed: () => void = () => {},
): (() => JSX.Element | null) => {
  const loaded = signal<ComponentType | null>(null)
  effect(() => {
    if (!isWanted() || loaded.peek()) return
    load()
      .then(part => {
        loaded.value = part
      })
      .catch((error: unknown) => {
        console.error(error)
        failed()
        say('This cannot be loaded right now. Check your connection and try again.')
      })
  })
  return () => {
    const Loaded = loaded.value
    return Loaded && isWanted() ? <Loaded /> : null
  }
}
