import { colour } from './colour'
import type { Patch } from './renderer'
import { sanitise } from './sanitise'

/** A pause in the typing after which the page is drawn again, and the longest that it may stay behind. */
const PAUSE_MS = 120
const LONGEST_MS = 600
/** Half a frame: a whole book is drawn in so many steps, and a key typed meanwhile waits for one of them. */
const SLICE_MS = 8
/** So many blocks are laid out and painted together or not at all; to watch each of a book's costs 4 ms a frame. */
const PART_BLOCKS = 50

/** The reading view of one text: draws itself again after changes and replaces only the blocks that differ. */
export class Reading {
  private readonly elements: Element[][] = []
  private readonly page: HTMLElement
  private readonly renderer = new Worker(new URL('./renderer.ts', import.meta.url), { type: 'module' })
  private timer: ReturnType<typeof setTimeout> | undefined
  private waitingSince: number | null = null
  /** A text is being rendered or drawn; `next` is to follow it. */
  private isBusy = false
  private next: (() => string) | null = null

  /** `failed` is called when nothing will be drawn, for one because the renderer could not be loaded. */
  constructor(
    private readonly host: HTMLElement,
    failed: (why: unknown) => void,
  ) {
    this.page = document.createElement('article')
    this.page.className = 'prose'
    this.page.setAttribute('aria-label', 'Reading view')
    host.append(this.page)
    this.renderer.addEventListener('message', ({ data }: MessageEvent<Patch>) => void this.draw(data))
    this.renderer.addEventListener('error', ({ message }) => {
      this.page.remove()
      failed(message)
    })
  }

  /** Draws soon; `text` is read at that time. The first drawing is at once. */
  update(text: () => string): void {
    if (this.waitingSince === null) this.waitingSince = performance.now()
    clearTimeout(this.timer)
    const waited = performance.now() - this.waitingSince
    const pause = this.elements.length === 0 ? 0 : Math.max(0, Math.min(PAUSE_MS, LONGEST_MS - waited))
    this.timer = setTimeout(() => this.render(text), pause)
  }

  private render(text: () => string): void {
    if (this.isBusy) {
      this.next = text
      return
    }
    this.isBusy = true
    this.waitingSince = null
    this.renderer.postMessage(text())
  }

  private async draw({ head, tail, fresh }: Patch): Promise<void> {
    const end = this.elements.length - tail
    const before = this.elements[end]?.[0] ?? null
    const drawn: Element[][] = []
    let pause = performance.now() + SLICE_MS
    for (const html of fresh) {
      drawn.push(this.insert(html, before))
      if (performance.now() < pause) continue
      await new Promise(resolve => setTimeout(resolve, 0))
      pause = performance.now() + SLICE_MS
    }
    for (const element of this.elements.splice(head, end - head, ...drawn).flat()) element.remove()
    this.host.toggleAttribute('data-empty', this.elements.length === 0)
    this.isBusy = false
    const { next } = this
    this.next = null
    if (next) this.render(next)
  }

  private insert(html: string, before: Element | null): Element[] {
    const fragment = sanitise(html)
    const elements = [...fragment.children]
    const part = before?.parentElement ?? this.lastPart(elements[0])
    part.insertBefore(fragment, before)
    colour(elements)
    return elements
  }

  /** Where a block goes that comes last. No part begins with a heading, whose margin would not melt into the one before. */
  private lastPart(block: Element | undefined): Element {
    const last = this.page.lastElementChild
    const isHeading = /^H\d$/.test(block?.tagName ?? '')
    if (last && (last.childElementCount < PART_BLOCKS || isHeading)) return last
    return this.page.appendChild(document.createElement('div'))
  }
}
