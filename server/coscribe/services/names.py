"""Friendly names for guests: nobody has to give one before typing."""

from __future__ import annotations

import secrets

# Short, well known, and none that is an insult in common use.
ANIMALS = (
    "Albatross", "Alpaca", "Antelope", "Armadillo", "Avocet", "Axolotl", "Badger", "Beaver", "Bison", "Bobcat",
    "Capybara", "Caribou", "Chameleon", "Chinchilla", "Cormorant", "Coyote", "Crane", "Curlew", "Dolphin", "Dormouse",
    "Egret", "Falcon", "Ferret", "Finch", "Flamingo", "Gazelle", "Gecko", "Gibbon", "Giraffe", "Hedgehog",
    "Heron", "Ibex", "Ibis", "Iguana", "Jackdaw", "Jaguar", "Kestrel", "Kingfisher", "Koala", "Lemur",
    "Lynx", "Manatee", "Marmot", "Meerkat", "Narwhal", "Nightingale", "Ocelot", "Octopus", "Okapi", "Otter",
    "Panda", "Pangolin", "Pelican", "Penguin", "Puffin", "Quokka", "Raccoon", "Raven", "Seahorse", "Starling",
    "Swift", "Tapir", "Toucan", "Turtle", "Walrus", "Wombat", "Wren", "Yak",
)  # fmt: skip


def guest_name() -> str:
    """A name such as "Anonymous Otter"."""
    return f"Anonymous {secrets.choice(ANIMALS)}"
