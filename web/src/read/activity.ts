import { ago, exactly } from '../page/time'
import type { Deed } from './feed'

const MOST = 10
const EVERY_MS = 30_000

/** As the server words them (api/page_html.py). */
const did: Record<string, string> = {
  created: 'made the document',
  renamed: 'changed the title',
  edited: 'edited',
  shared: 'changed who may see it',
  trashed: 'moved it to the trash',
  restored: 'took it out of the trash',
}

/** Gives every <time> of the page in the reader's own words and time zone. */
const tellTimes = (): void => {
  for (const time of document.querySelectorAll('time')) {
    time.textContent = ago(time.dateTime)
    time.title = exactly(time.dateTime)
  }
}

/** Keeps the times right while the page stays open. */
export const keepTimes = (): void => {
  tellTimes()
  setInterval(tellTimes, EVERY_MS)
}

/** Puts a deed at the top of the list, instead of an earlier form of the same one. */
export const tellDeed = (list: HTMLElement, deed: Deed): void => {
  const words = did[deed.kind]
  if (!words) return
  const item = document.createElement('li')
  const name = document.createElement('b')
  const time = document.createElement('time')
  item.dataset.id = deed.id
  name.textContent = deed.by.name
  time.dateTime = deed.at
  item.append(name, ` ${words} `, time)
  for (const old of list.children) if ((old as HTMLElement).dataset.id === deed.id) old.remove()
  list.prepend(item)
  while (list.children.length > MOST) list.lastElementChild?.remove()
  for (const changed of document.querySelectorAll<HTMLTimeElement>('.reader-head time'))
    changed.dateTime = deed.at
  tellTimes()
}
