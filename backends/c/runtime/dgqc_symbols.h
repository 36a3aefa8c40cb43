/* An emitted project has one of its own, which gives every symbol of the runtime a name that belongs to its version. */
