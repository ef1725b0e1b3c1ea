import type { ComponentChildren, JSX } from 'preact'
import { useId, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { Icon, type IconName } from './icons'

interface MenuProps {
  label: string
  icon: IconName
  /** Shown instead of the icon, e.g. "+3". */
  face?: string
  children: ComponentChildren
}

const GAP_PX = 4
const EDGE_PX = 8

/** Below its button, right edges together, never outside the window. */
const place = (menu: HTMLElement, button: HTMLElement): void => {
  const { bottom, right } = button.getBoundingClientRect()
  const left = Math.max(EDGE_PX, Math.min(right - menu.offsetWidth, innerWidth - menu.offsetWidth - EDGE_PX))
  menu.style.top = `${bottom + GAP_PX}px`
  menu.style.left = `${left}px`
}

const itemsOf = (menu: HTMLElement): HTMLElement[] => [
  ...menu.querySelectorAll<HTMLElement>('[role^="menuitem"]'),
]

const targets: Record<string, (index: number, count: number) => number> = {
  ArrowDown: (index, count) => (index + 1) % count,
  ArrowUp: (index, count) => (index - 1 + count) % count,
  Home: () => 0,
  End: (_, count) => count - 1,
}

const moveFocus = (event: KeyboardEvent, menu: HTMLElement | null): void => {
  const step = targets[event.key]
  if (!step || !menu) return
  event.preventDefault()
  const items = itemsOf(menu)
  const now = items.indexOf(document.activeElement as HTMLElement)
  items[step(now, items.length)]?.focus()
}

interface PopupProps {
  id: string
  label: string
  button: HTMLElement | null
  onClosed: () => void
  children: ComponentChildren
}

/** The open menu, on the browser's own popover: it closes on Escape and on clicks outside; arrows move in it. */
const Popup = ({ id, label, button, onClosed, children }: PopupProps): JSX.Element => {
  const menu = useRef<HTMLDivElement>(null)
  useLayoutEffect(() => {
    if (!menu.current || !button) return
    menu.current.showPopover()
    place(menu.current, button)
    itemsOf(menu.current)[0]?.focus()
  }, [])
  const closeAfterPick = (event: MouseEvent): void => {
    if (!(event.target as HTMLElement).closest('[role^="menuitem"]')) return
    menu.current?.hidePopover()
    button?.focus({ preventScroll: true })
  }
  return (
    <div
      class="menu"
      id={id}
      ref={menu}
      role="menu"
      tabIndex={-1}
      aria-label={label}
      popover="auto"
      onToggle={event => event.newState === 'closed' && onClosed()}
      onKeyDown={event => moveFocus(event, menu.current)}
      onClick={closeAfterPick}
    >
      {children}
    </div>
  )
}

/** A button with a menu. */
export const Menu = ({ label, icon, face, children }: MenuProps): JSX.Element => {
  const [open, setOpen] = useState(false)
  const button = useRef<HTMLButtonElement>(null)
  const id = useId()
  return (
    <>
      <button
        class={face ? 'glyph face' : 'glyph'}
        type="button"
        ref={button}
        title={label}
        aria-label={label}
        aria-haspopup="menu"
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        onClick={() => setOpen(!open)}
      >
        {face ?? <Icon name={icon} />}
      </button>
      {open && (
        <Popup id={id} label={label} button={button.current} onClosed={() => setOpen(false)}>
          {children}
        </Popup>
      )}
    </>
  )
}

interface ItemProps {
  icon: IconName
  children: ComponentChildren
  onPick: () => void
  danger?: boolean
  keys?: string
}

export const MenuItem = ({ icon, children, onPick, danger, keys }: ItemProps): JSX.Element => (
  <button
    class={danger ? 'menu-item danger' : 'menu-item'}
    type="button"
    role="menuitem"
    tabIndex={-1}
    onClick={onPick}
  >
    <Icon name={icon} />
    {children}
    {keys && <kbd>{keys}</kbd>}
  </button>
)

interface ChoiceProps {
  kind: 'checkbox' | 'radio'
  checked: boolean
  children: ComponentChildren
  onPick: () => void
}

/** An item that is on or off; the check mark stands where others have their icon. */
export const MenuChoice = ({ kind, checked, children, onPick }: ChoiceProps): JSX.Element => (
  // biome-ignore lint/a11y/useAriaPropsSupportedByRole: both roles that it can have support it
  <button
    class="menu-item choice"
    type="button"
    role={kind === 'radio' ? 'menuitemradio' : 'menuitemcheckbox'}
    aria-checked={checked}
    tabIndex={-1}
    onClick={onPick}
  >
    <Icon name="check" />
    {children}
  </button>
)
