#include <unistd.h>
void goPark(void);
int leafC(int x) { return x * 2 + 1; }
int inC(int x) {
	if (x) goPark();
	return leafC(x) + 3;
}

int napping(int seconds) {
	char pad[200];
	pad[seconds] = 1;
	return sleep(seconds) + pad[seconds];
}
int blockInC(int seconds) { return napping(seconds) + 1; }
