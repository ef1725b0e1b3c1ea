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

export const Toasts = (): JSX.Element => (
  <div class="toasts no-print" role="status">
    {shown.value.map(toast => (
      <Line key={toast.key} toast={toast} />
    ))}
  </div>
)
