"""A web page that localizes in the browser."""
