"""Pages that need nothing but a browser: no network, no fonts, no files beside them."""
