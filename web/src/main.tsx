import './style/base.css'
import './style/floating.css'
import './style/share.css'
import './style/home.css'
import { effect } from '@preact/signals'
import { render } from 'preact'
import { offerUndo } from './page/home/actions'
import { acceptDrops } from './page/home/drop'
import { Documents } from './page/home/home'
import { refresh, show, trashed } from './page/home/listing'
import { MeButton, MeDialog } from './page/me'
import { place } from './page/place'
import { loadMe } from './page/self'
import { ThemeMenu } from './page/themes'
import { Toasts } from './page/toast'
import { keepForOffline } from './page/worker'

const Corner = () => (
  <>
    <ThemeMenu />
    <MeButton />
  </>
)

const Overlays = () => (
  <>
    <MeDialog />
    <Toasts />
  </>
)

render(<Documents />, place('documents'))
render(<Corner />, place('me'))
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
void refresh()
loadMe().catch((failed: unknown) => console.warn('Who we are is not known yet.', failed))
offerUndo()
void keepForOffline()
