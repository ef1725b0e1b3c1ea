import './style/base.css'
import './style/floating.css'
import './style/home.css'
import { effect } from '@preact/signals'
import { render } from 'preact'
import { acceptDrops } from './page/home/drop'
import { Documents } from './page/home/home'
import { refresh, show, trashed } from './page/home/listing'
import { loadMe, MeButton, MeDialog } from './page/me'
import { say, Toasts } from './page/toast'

const place = (id: string): HTMLElement => {
  const found = document.getElementById(id)
  if (!found) throw new Error(`The page has no #${id}`)
  return found
}

const Overlays = () => (
  <>
    <MeDialog />
    <Toasts />
  </>
)

render(<Documents />, place('documents'))
render(<MeButton />, place('me'))
render(<Overlays />, place('overlays'))

effect(() => {
  place('start').hidden = trashed.value
})
addEventListener('popstate', () => show(location.pathname === '/trash', false))
// A page that comes back from the browser's cache shows an old list.
addEventListener('pageshow', event => {
  if (event.persisted) void refresh()
})
acceptDrops()
// The first visit makes the guest and its cookie; asking for the list at the same time would make two.
loadMe()
  .catch(() => say('The server cannot be reached.'))
  .finally(refresh)
