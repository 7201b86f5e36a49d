int cmd_stat(int c,char**v);int cmd_stat(int c,char**v){(void)c;(void)v;return 2;}
int cmd_top(int c,char**v);int cmd_top(int c,char**v){(void)c;(void)v;return 2;}
