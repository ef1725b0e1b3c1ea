import { effect } from '@preact/signals'
import { render } from 'preact'
import { lazily } from '../lazy'
import { MeDialog } from '../me'
import { place } from '../place'
import { Toasts } from '../toast'
import { keepForOffline } from '../worker'
import { Bar } from './bar'
import { editor, ending } from './desk'
import { announceJoins } from './joins'
import { listen } from './keyboard'
import { Sheets } from './lazy-sheets'
import { loadStandingBars, Notices } from './notices'
import { Toolbar } from './toolbar'

const loadEnded = () => import('./ended').then(part => part.Ended)
/** A network may begin to refuse WebSockets when it lets no new code through either. */
const loadRequests = () => import('../../sync/requests')
const Ended = lazily(() => ending.value !== null, loadEnded)

const Overlays = () => (
  <>
    <Sheets />
    <MeDialog />
    <Toasts />
  </>
)

/** There is something to look at: the text, or why there is none. */
const shown = new Promise<void>(resolve => {
  effect(() => {
    if (editor.value || ending.value) resolve()
  })
})

/** Draws all that stands around the text, and lets its keys work. */
export const draw = (source: HTMLElement): void => {
  place('bar').replaceChildren()
  render(<Bar />, place('bar'))
  render(<Notices />, place('notices'))
  render(<Toolbar />, place('tools'))
  render(<Ended />, place('ended'))
  render(<Overlays />, place('overlays'))
  document.body.dataset.drawn = ''
  listen(source)
  announceJoins(place('joins'))
  void keepForOffline([loadEnded, loadStandingBars, loadRequests], shown)
}
