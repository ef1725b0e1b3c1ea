import { colour } from './colour'
import { renderBlocks } from './markdown'
import { commonEnds } from './patch'
import { sanitise } from './sanitise'

/** A pause in the typing after which the page is drawn again, and the longest that it may stay behind. */
const PAUSE_MS = 120
const LONGEST_MS = 600

/** The reading view of one text: draws itself again after changes and replaces only the blocks that differ. */
export class Reading {
  private blocks: string[] = []
  private elements: Element[][] = []
  private readonly page: HTMLElement
  private timer: ReturnType<typeof setTimeout> | undefined
  private waitingSince: number | null = null

  constructor(private readonly host: HTMLElement) {
    this.page = document.createElement('article')
    this.page.className = 'prose'
    this.page.setAttribute('aria-label', 'Reading view')
    host.append(this.page)
  }

  /** Draws soon; `text` is read at that time. The first drawing is at once. */
  update(text: () => string): void {
    if (this.waitingSince === null) this.waitingSince = performance.now()
    clearTimeout(this.timer)
    const waited = performance.now() - this.waitingSince
    const pause = this.elements.length === 0 ? 0 : Math.max(0, Math.min(PAUSE_MS, LONGEST_MS - waited))
    this.timer = setTimeout(() => this.draw(text()), pause)
  }

  private draw(text: string): void {
    this.waitingSince = null
    const blocks = renderBlocks(text)
    const [head, tail] = commonEnds(this.blocks, blocks)
    const stale = this.elements.slice(head, this.elements.length - tail)
    const before = this.elements[this.elements.length - tail]?.[0] ?? null
    const fresh = blocks.slice(head, blocks.length - tail).map(html => this.insert(html, before))
    for (const element of stale.flat()) element.remove()
    this.elements.splice(head, stale.length, ...fresh)
    this.blocks = blocks
    this.host.toggleAttribute('data-empty', blocks.length === 0)
    colour(fresh.flat())
  }

  private insert(html: string, before: Element | null): Element[] {
    const fragment = sanitise(html)
    const elements = [...fragment.children]
    this.page.insertBefore(fragment, before)
    return elements
  }
}
