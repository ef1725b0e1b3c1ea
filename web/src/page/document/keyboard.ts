import { modOnly } from '../keys'
import { say } from '../toasts'
import { editor, mayWrite, sheet } from './desk'
import { pulseStatus } from './status'

/** Typing into a text that one may only read says so once in this time. */
const HINT_EVERY_MS = 8_000

const regions = ['#bar', '#tools', '#desk']
const focusable = 'a[href], button:not([tabindex="-1"]), input, [tabindex="0"]'

const enterRegion = (selector: string): boolean => {
  if (selector === '#desk' && editor.value && !editor.value.view.dom.closest('[hidden]')) {
    editor.value.focus()
    return true
  }
  const region = document.querySelector<HTMLElement>(selector)
  const target = region?.querySelector<HTMLElement>(focusable) ?? (selector === '#desk' ? region : null)
  target?.focus()
  return target !== null && target !== undefined
}

/** F6: from bar to toolbar to text and around, Shift+F6 the other way. */
const nextRegion = (backwards: boolean): void => {
  const now = regions.findIndex(selector => document.activeElement?.closest(selector))
  for (let step = 1; step <= regions.length; step += 1) {
    const index = (now + (backwards ? -step : step) + 2 * regions.length) % regions.length
    if (enterRegion(regions[index] ?? '#desk')) return
  }
}

const onKeyDown = (event: KeyboardEvent): void => {
  if (event.key === 'F6') {
    event.preventDefault()
    nextRegion(event.shiftKey)
  } else if (modOnly(event) && event.key === 's') {
    event.preventDefault()
    pulseStatus()
  } else if (modOnly(event) && event.key === '/') {
    event.preventDefault()
    sheet.value = 'keys'
  }
}

const hintWhenReadOnly = (source: HTMLElement): void => {
  let hintedAt = -HINT_EVERY_MS
  source.addEventListener('keydown', event => {
    const types = event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey
    if (!types || mayWrite.value || event.timeStamp - hintedAt < HINT_EVERY_MS) return
    // The find panel stands in the same place and takes letters.
    if ((event.target as HTMLElement).closest('input')) return
    hintedAt = event.timeStamp
    say('You can view this document, but not change it')
  })
}

/** Tab indents lists; whoever walks the page by keyboard learns the way out when Tab does not lead there. */
const hintWayOut = (source: HTMLElement): void => {
  const onTab = (event: KeyboardEvent): void => {
    if (event.key !== 'Tab') return
    // The editor takes or leaves the key on its way up; a task later it is known which.
    setTimeout(() => {
      if (!event.defaultPrevented) return
      source.removeEventListener('keydown', onTab)
      say('To leave the editor, press Esc, then Tab')
    })
  }
  source.addEventListener('keydown', onTab)
}

export const listen = (source: HTMLElement): void => {
  // Captured, so that the keys also work while the editor has the focus.
  addEventListener('keydown', onKeyDown, { capture: true })
  hintWhenReadOnly(source)
  hintWayOut(source)
}
