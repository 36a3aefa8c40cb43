/* Where text goes, and how a program ends: a debugger's semihosting on a board, stdio on a host. */
#ifndef CONSOLE_H
#define CONSOLE_H

void console_write(const char *text);
void console_end(int status);

#endif
