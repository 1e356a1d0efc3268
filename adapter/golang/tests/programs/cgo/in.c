void goPark(void);
int leafC(int x) { return x * 2 + 1; }
int inC(int x) {
	if (x) goPark();
	return leafC(x) + 3;
}
