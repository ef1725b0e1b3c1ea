import { signal } from '@preact/signals-core'

interface Action {
  label: string
  run: () => void
}

export interface Toast {
  key: number
  text: string
  action: Action | undefined
}

/** What stands at the bottom of the page now. */
export const shown = signal<readonly Toast[]>([])
const timers = new Map<number, ReturnType<typeof setTimeout>>()
let latest = 0

/** People need time to reach an Undo; a plain confirmation may go sooner. */
const ACTION_MS = 10_000
const PLAIN_MS = 4_000

export const dismiss = (key: number): void => {
  clearTimeout(timers.get(key))
  timers.delete(key)
  shown.value = shown.value.filter(toast => toast.key !== key)
}

export const startTimer = ({ key, action }: Toast): void => {
  clearTimeout(timers.get(key))
  timers.set(
    key,
    setTimeout(() => dismiss(key), action ? ACTION_MS : PLAIN_MS),
  )
}

/** Says one thing that happened, at the bottom of the page; the time stands still while it is pointed at or focused. */
export const say = (text: string, action?: Action): void => {
  latest += 1
  const toast = { key: latest, text, action }
  shown.value = [...shown.value.slice(-2), toast]
  startTimer(toast)
}

export const hold = (key: number): void => clearTimeout(timers.get(key))

/** How many modal sheets are open. What lies outside of them can be neither seen well nor heard. */
export const sheetsOpen = signal(0)
