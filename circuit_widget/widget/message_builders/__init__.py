"""What is displayed, as messages to the page: effects, studies, cards, proposals."""
