"""The commands of `t2t`, a module each: its flags, and the function that it calls."""
