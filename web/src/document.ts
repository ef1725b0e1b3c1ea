import './style/base.css'
import './style/floating.css'
import './style/share.css'
import './style/bar.css'
import './style/document.css'
import './style/prose.css'
import { effect } from '@preact/signals-core'
import { doc, ending, session, title } from './page/document/desk'
import { open } from './page/document/open'
import { arrange } from './page/document/views'
import { place } from './page/place'
import { loadMe } from './page/self'

const RETRY_MS = 2_000

/** Asks before the window closes only while a change would be lost: neither on the server nor on this device. */
const guardLeaving = (event: BeforeUnloadEvent): void => {
  if (session.value?.atRisk.value) event.preventDefault()
}

/** The bars and buttons come in files of their own: the first caret does not wait for them, nor they for ever. */
const surround = async (source: HTMLElement): Promise<void> => {
  const part = await import('./page/document/surroundings').catch((failed: unknown) =>
    console.warn('The page is not complete yet.', failed),
  )
  if (part) part.draw(source)
  else setTimeout(() => void surround(source), RETRY_MS)
}

const source = place('source')
addEventListener('beforeunload', guardLeaving)
void open(source)
arrange(source, place('reading'), place('skeleton'))
void surround(source)
loadMe().catch((failed: unknown) => console.warn('Who we are is not known yet.', failed))

effect(() => {
  const name = ending.value?.kind === 'missing' ? 'Not found' : title.value || (doc.value ? 'Untitled' : '')
  document.title = name ? `${name} - Coscribe` : 'Coscribe'
})
