"""What people look at: progress, tables, task inspection."""
