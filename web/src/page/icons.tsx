import type { JSX } from 'preact'

/** One set of icons: a 24-unit grid shown at 20 px, 1.5 px strokes, drawn inline so that nothing is fetched. */
const paths = {
  account: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM4 20c1.5-4 4.5-5.5 8-5.5s6.5 1.5 8 5.5',
  bold: 'M7 5h6a3.5 3.5 0 0 1 0 7H7zM7 12h7a3.5 3.5 0 0 1 0 7H7z',
  bullets: 'M9 6h11M9 12h11M9 18h11M4.5 6h.01M4.5 12h.01M4.5 18h.01',
  check: 'm5 12.5 4.5 4.5L19 7.5',
  close: 'm6 6 12 12M18 6 6 18',
  code: 'm8.5 7-5 5 5 5M15.5 7l5 5-5 5',
  codeBlock: 'M4 5h16v14H4zM8.5 10l-2 2 2 2M12 14.5h5',
  copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
  count: 'M4 6h16M4 10h16M4 14h9M15 19l2-5 2 5M15.7 17.5h2.6',
  detour: 'M4 17h3c4 0 3-10 7-10h6M16.5 3.5 20 7l-3.5 3.5',
  device: 'M4 6h16v10H4zM2.5 19.5h19',
  download: 'M12 4v11M7.5 11l4.5 4.5 4.5-4.5M5 20h14',
  edit: 'm4 20 1-4L16 5l3 3L8 19zM14 7l3 3',
  find: 'M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13ZM15.5 15.5 21 21',
  heading: 'M6 5v14M18 5v14M6 12h12',
  italic: 'M10 5h7M7 19h7M14 5l-4 14',
  keys: 'M3 7h18v11H3zM7 11h.01M11 11h.01M15 11h.01M8 14.5h8',
  link: 'M10 14a4 4 0 0 0 5.7 0l3-3A4 4 0 0 0 13 5.3L11.8 6.5M14 10a4 4 0 0 0-5.7 0l-3 3A4 4 0 0 0 11 18.7l1.2-1.2',
  more: 'M5 11.5h.8v1H5zM11.6 11.5h.8v1h-.8zM18.2 11.5h.8v1h-.8z',
  numbers: 'M10 6h10M10 12h10M10 18h10M4 5l1.5-1v5M4 15h2.5L4 19h2.5',
  plus: 'M12 5v14M5 12h14',
  quote: 'M5 7h5v5.5c0 2.5-1.5 4-4 4.5M14 7h5v5.5c0 2.5-1.5 4-4 4.5',
  read: 'M12 7c-2-1.5-5-2-8-1.5v13c3-.5 6 0 8 1.5 2-1.5 5-2 8-1.5v-13c-3-.5-6 0-8 1.5zM12 7v13',
  redo: 'M19 9H9.5a5 5 0 0 0 0 10H13M19 9l-4-4M19 9l-4 4',
  restore: 'M5 9h9.5a5 5 0 0 1 0 10H11M5 9l4-4M5 9l4 4',
  search: 'M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13ZM15.5 15.5 21 21',
  split: 'M4 5h16v14H4zM12 5v14',
  strike:
    'M4 12h16M16.5 7.5C16 5.5 14 5 12 5c-2.5 0-4.5 1-4.5 3.2M7.5 16c.5 2.2 2.5 3 4.5 3 2.5 0 4.8-1 4.8-3.5',
  tasks: 'M4 6.5l1.5 1.5L8 5M11 6.5h9M4 16.5l1.5 1.5L8 15M11 16.5h9',
  theme: 'M12 19a7 7 0 1 0 0-14zM12 5a7 7 0 0 0 0 14',
  trash: 'M4 7h16M9 7V4.5h6V7M6.5 7l1 13h9l1-13M10 11v5M14 11v5',
  undo: 'M5 9h9.5a5 5 0 0 1 0 10H11M5 9l4-4M5 9l4 4',
  upload: 'M12 16V5M7.5 9.5 12 5l4.5 4.5M5 20h14',
  wide: 'M4 12h16M8 8l-4 4 4 4M16 8l4 4-4 4',
} as const

export type IconName = keyof typeof paths

export const Icon = ({ name }: { name: IconName }): JSX.Element => (
  <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
    <path d={paths[name]} />
  </svg>
)
