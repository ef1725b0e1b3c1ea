import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useId, useRef } from 'preact/hooks'
import { Icon } from './icons'
import { Toasts } from './toast'
import { sheetsOpen } from './toasts'

interface DialogProps {
  title: string
  onClose: () => void
  /** Takes the focus where what had it is not there any more. */
  rest?: () => void
  children: ComponentChildren
}

/**
 * A modal sheet on the browser's own <dialog>: it keeps the focus inside and closes on Escape. Mounted means open.
 * The focus goes back to where it was.
 */
export const Dialog = ({ title, onClose, rest, children }: DialogProps): JSX.Element => {
  const box = useRef<HTMLDialogElement>(null)
  const label = useId()
  useEffect(() => {
    const before = document.activeElement
    box.current?.showModal()
    sheetsOpen.value += 1
    return () => {
      sheetsOpen.value -= 1
      // An effect ends a frame after its sheet is gone: by then a quick hand may have taken the focus elsewhere.
      const isFree = (): boolean => document.activeElement === document.body
      if (isFree() && before instanceof HTMLElement) before.focus({ preventScroll: true })
      if (isFree()) rest?.()
    }
  }, [])
  const closeOnBackdrop = (event: MouseEvent): void => {
    if (event.target === box.current) box.current?.close()
  }
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape does the same by the keyboard
    <dialog class="sheet" ref={box} aria-labelledby={label} onClose={onClose} onClick={closeOnBackdrop}>
      <div class="sheet-head">
        <h2 id={label}>{title}</h2>
        <button class="glyph" type="button" aria-label="Close" onClick={() => box.current?.close()}>
          <Icon name="close" />
        </button>
      </div>
      <div class="sheet-body">{children}</div>
      <Toasts inSheet />
    </dialog>
  )
}

interface ConfirmProps {
  title: string
  loss: string
  verb: string
  onConfirm: () => void
  onClose: () => void
}

/** Asks before a loss. Cancel has the focus, so that a hasty Enter keeps everything. */
export const Confirm = ({ title, loss, verb, onConfirm, onClose }: ConfirmProps): JSX.Element => {
  const cancel = useRef<HTMLButtonElement>(null)
  useEffect(() => cancel.current?.focus(), [])
  return (
    <Dialog title={title} onClose={onClose}>
      <p>{loss}</p>
      <div class="sheet-foot">
        <button class="button" type="button" ref={cancel} onClick={onClose}>
          Cancel
        </button>
        <button
          class="button danger"
          type="button"
          onClick={() => {
            onClose()
            onConfirm()
          }}
        >
          {verb}
        </button>
      </div>
    </Dialog>
  )
}
