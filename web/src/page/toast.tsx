import type { JSX } from 'preact'
import { dismiss, hold, sheetsOpen, shown, startTimer, type Toast } from './toasts'

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

/** The place of the toasts: one on the page, and one in every sheet for as long as it is open. */
export const Toasts = ({ inSheet = false }: { inSheet?: boolean }): JSX.Element => (
  <div class="toasts no-print" role="status">
    {sheetsOpen.value > 0 === inSheet && shown.value.map(toast => <Line key={toast.key} toast={toast} />)}
  </div>
)
