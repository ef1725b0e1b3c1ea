import DOMPurify, { type Config } from 'dompurify'

const tags =
  'a blockquote br code del em h1 h2 h3 h4 h5 h6 hr img input label li ol p pre s section span strong sup table tbody td th thead tr ul'

const options = {
  ALLOWED_TAGS: tags.split(' '),
  ALLOWED_ATTR: [
    'href',
    'title',
    'src',
    'alt',
    'class',
    'id',
    'align',
    'start',
    'type',
    'checked',
    'disabled',
  ],
  ALLOW_DATA_ATTR: false,
  // As on the read page: a known scheme or none.
  ALLOWED_URI_REGEXP: /^(?:https?:|mailto:|[^:/?#]*(?:[/?#]|$))/i,
  RETURN_DOM_FRAGMENT: true,
} satisfies Config & { RETURN_DOM_FRAGMENT: true }

/** Ids only as footnotes use them: others could shadow the page's own. */
const footnoteId = /^fn(ref)?\d+(:\d+)?$/

const outward = (link: Element): void => {
  if (link.getAttribute('href')?.startsWith('#')) return
  link.setAttribute('target', '_blank')
  link.setAttribute('rel', 'noopener noreferrer nofollow ugc')
}

/** From the web or inline, as on the read page; an address of this very server would be asked for with our cookie. */
const pictureSource = /^(?:https?:\/\/|data:image\/(?:gif|png|jpeg|webp);base64,)/i

const picture = (image: Element): void => {
  if (!pictureSource.test(image.getAttribute('src') ?? '')) image.removeAttribute('src')
  image.setAttribute('loading', 'lazy')
  image.setAttribute('decoding', 'async')
  image.setAttribute('referrerpolicy', 'no-referrer')
}

/** Only ticked or not, never to be operated: the text is changed in the editor. */
const tick = (box: Element): void => {
  if (box.getAttribute('type') === 'checkbox') box.setAttribute('disabled', '')
  else box.remove()
}

const purify = DOMPurify(window)
purify.addHook('afterSanitizeAttributes', element => {
  if (!footnoteId.test(element.id)) element.removeAttribute('id')
  if (element.tagName === 'A') outward(element)
  else if (element.tagName === 'IMG') picture(element)
  else if (element.tagName === 'INPUT') tick(element)
  // A code block that scrolls must be reachable by keyboard.
  else if (element.tagName === 'PRE') element.setAttribute('tabindex', '0')
})

/** HTML of our own renderer as elements that may stand in the page. */
export const sanitise = (html: string): DocumentFragment => purify.sanitize(html, options)
