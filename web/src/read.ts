import './style/read.css'
import { place } from './page/place'
import { keepTimes, tellDeed } from './read/activity'
import { Body } from './read/body'
import { People } from './read/people'
import { SharedFeed } from './read/shared'

/** Follows the document of a read page. The page is complete without it; this brings what changes. */
const main = place('text')
const heading = place('title')
const live = place('live')
const activity = place('activity')
const { events, body: bodyAddress } = document.body.dataset

const showTitle = (title: string): void => {
  const shown = title || 'Untitled'
  heading.textContent = shown
  document.title = `${shown} - Coscribe`
  // A title that the text gave stands below in full as its first line.
  heading.classList.toggle('unseen', main.firstElementChild?.textContent?.trim() === shown)
}

const words = { live: 'Live', connecting: 'Connecting…', gone: 'No longer shared' } as const

const showState = (state: keyof typeof words): void => {
  if (live.dataset.state === state) return
  live.dataset.state = state
  live.textContent = words[state]
  if (state === 'gone') sayFarewell()
}

const sayFarewell = (): void => {
  const notice = document.createElement('p')
  notice.className = 'farewell'
  notice.setAttribute('role', 'alert')
  notice.textContent =
    'This document is not shared with you any more. What you see below is the text as it was when that happened.'
  main.before(notice)
  place('people').replaceChildren()
}

/** A title that follows the text is known before the server has said so. */
const followText = (): void => {
  const first = main.querySelector('h1') ?? main.firstElementChild
  if (heading.classList.contains('unseen')) showTitle(first?.textContent?.trim() ?? '')
}

keepTimes()
if (events && bodyAddress) {
  const body = new Body(main, bodyAddress, followText)
  const people = new People(place('people'))
  const feed = new SharedFeed(events, main.dataset.position ?? '', {
    onText: () => body.touch(),
    onTitle: showTitle,
    onDeed: deed => {
      tellDeed(activity, deed)
      if (deed.kind === 'renamed' && deed.data.title !== undefined) showTitle(deed.data.title)
    },
    onPresence: change => people.change(change),
    onState: showState,
  })
  feed.start()
  addEventListener('online', () => feed.wake())
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) feed.wake()
  })
}
