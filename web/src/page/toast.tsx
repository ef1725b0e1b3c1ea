import { signal } from '@preact/signals'
import type { JSX } from 'preact'

interface Action {
  label: string
  run: () => void
}

interface Toast {
  key: number
  text: string
  action: Action | undefined
}

const shown = signal<readonly Toast[]>([])
const timers = new Map<number, ReturnType<typeof setTimeout>>()
let latest = 0

/** People need time to reach an Undo; a plain confirmation may go sooner. */
const ACTION_MS = 10_000
const PLAIN_MS = 4_000

const dismiss = (key: number): void => {
  clearTimeout(timers.get(key))
  timers.delete(key)
  shown.value = shown.value.filter(toast => toast.key !== key)
}

const startTimer = ({ key, action }: Toast): void => {
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

const hold = (key: number): void => clearTimeout(timers.get(key))

const Line = ({ toast }: { toast: Toast }): JSX.Element => (
  <div
    class="toast"
    onPointerEnter={() => hold(toast.key)}
    onPointerLeave={() => startTimer(toast)}
    onFocusIn={() => hold(toast.key)}
    onFocusOut={() => startTimer(toast)}
  >
    <span>{toast.text}</span>
    {toast.action && (
      <button
        class="button"
        type="button"
        onClick={() => {
          dismiss(toast.key)
          toast.action?.run()
        }}
      >
        {toast.action.label}
      </button>
    )}
  </div>
)

/** How many modal sheets are open. What lies outside of them can be neither seen well nor heard. */
export const sheetsOpen = signal(0)

/** The place of the toasts: one on the page, and one in every sheet for as long as it is open. */
export const Toasts = ({ inSheet = false }: { inSheet?: boolean }): JSX.Element => (
  <div class="toasts no-print" role="status">
    {sheetsOpen.value > 0 === inSheet && shown.value.map(toast => <Line key={toast.key} toast={toast} />)}
  </div>
)
