"""Named questions to the lake. Each joins the asker's scope before it counts, pages or searches."""
