"""The traits of a widget, and what the page may set of them."""
