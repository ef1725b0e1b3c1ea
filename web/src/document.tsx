import './style/base.css'
import './style/floating.css'
import './style/share.css'
import './style/bar.css'
import './style/document.css'
import './style/prose.css'
import { effect } from '@preact/signals'
import { render } from 'preact'
import { Bar } from './page/document/bar'
import { doc, ending, title } from './page/document/desk'
import { announceJoins } from './page/document/joins'
import { listen } from './page/document/keyboard'
import { Sheets } from './page/document/lazy-sheets'
import { loadStandingBars, Notices } from './page/document/notices'
import { open } from './page/document/open'
import { Toolbar } from './page/document/toolbar'
import { arrange } from './page/document/views'
import { lazily } from './page/lazy'
import { loadMe, MeDialog } from './page/me'
import { place } from './page/place'
import { Toasts } from './page/toast'
import { keepForOffline } from './page/worker'

const loadEnded = () => import('./page/document/ended').then(part => part.Ended)
const Ended = lazily(() => ending.value !== null, loadEnded)

const Overlays = () => (
  <>
    <Sheets />
    <MeDialog />
    <Toasts />
  </>
)

const source = place('source')
void open(source)

place('bar').replaceChildren()
render(<Bar />, place('bar'))
render(<Notices />, place('notices'))
render(<Toolbar />, place('tools'))
render(<Ended />, place('ended'))
render(<Overlays />, place('overlays'))

arrange(source, place('reading'), place('skeleton'))
listen(source)
announceJoins(place('joins'))

effect(() => {
  const name = ending.value?.kind === 'missing' ? 'Not found' : title.value || (doc.value ? 'Untitled' : '')
  document.title = name ? `${name} - Coscribe` : 'Coscribe'
})

loadMe().catch((failed: unknown) => console.warn('Who we are is not known yet.', failed))
keepForOffline(loadEnded, loadStandingBars)
