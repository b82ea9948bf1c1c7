"""The HTTP server: OpenAI's API over a client, the dial at run time, and a page to see it on."""
