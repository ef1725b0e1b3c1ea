import './style/base.css'
import './style/floating.css'
import './style/recover.css'
import { render } from 'preact'
import { place } from './page/place'
import { look, Recover } from './page/recover/page'
import { ThemeMenu } from './page/themes'
import { Toasts } from './page/toast'
import { keepForOffline } from './page/worker'

render(<Recover />, place('recover'))
render(<ThemeMenu />, place('corner'))
render(<Toasts />, place('overlays'))

void look()
// A document in another window may have sent meanwhile what is listed here.
addEventListener('pageshow', event => event.persisted && void look())
document.addEventListener('visibilitychange', () => document.hidden || void look())
void keepForOffline()
