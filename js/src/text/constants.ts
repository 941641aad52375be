/** Widths and classes of characters; written by `python -m tools.generate_frontend`. */

/** Units of the widths to an em. */
export const PER_EM = 64;

/** Width of every character of the monospace font, in em. */
export const MONO_EM = 0.6;

/** Runs of characters: the first one's code point, and a sign for the width of each, U+0030 for 0 and so on. A space is for what the interface font lacks. */
export const ADVANCES = [
  [0x0020, "BDJYZfZ>IIS[CNCH[OXZ[XYVYYCC[[[Sp^Z`^WV``BT[Tj`bYbZZZ_^p\\]ZIHIONPUXUXVHXWAATAiWWXXISHWUfTUTIGI["],
  [0x00a0, "BDUZ`TDUVkNVT [RM[KLPZWCFDNVikmS^^^^^^q`WWWWBBBB^`bbbbb[b____]ZYUUUUUUkUVVVVAAAAVWWWWWW[WWWWWUWU"],
  [0x0100, "^U^U^U`U`U`U`U^^^XWVWVWVWVWV`X`X`X`X`WcWMBBABABABAfQTA[TZTATATGUHUA`W`W`W `WbWbWbWpoZIZIZIZSZSZS"],
  [0x0160, "ZSZHZJZH_W_W_W_W_W_Wpf]U]ZTZTZTBXfZXaZ`dX^kZXWW`ZVLd]nBB]TAZl`WbcXj]eX`ZSZWI]LZh\\aZaYZT\\\\YTXXWTZ"],
  [0x01c0, "BHID ~vxeQ~oh^UBAbW_W_W_W_W_WV^U^Uqk`X`X[TbWbW\\YA~~v`Xx]`W^UqkbW^U^UWVWVBABAbWbWZIZI_W_WZSZHZT`W"],
  [0x0220, "Z^ZZZT^UWVbWbWbWbW]UIbQAll^`UTZSWTT^``WVTAd[[I]UUYZXTUXYTVcTUbUAYXZY^WWWACLEND\\iiiXXWWji]IHLJJGF"],
  [0x0280, "ZZSNNNTHIZZTUfUTX[Y[TTTTbUU^VLTN[TTvo~c[gi]aRS\\]JN;BBHNTI@KB?B;;NNRRNNRR<RHH<NHHBB;;HHHFNBGBPLBH"],
  [0x02e0, "N;HHNHHHHHLKQNNHHHHFHOON@FFFFNNR"],
  [0x0370, "ZT[WBBaZ  BTTTBT    FT^C`jG c kcC^ZU^WZ`bB[^j`Wb`Y ZZ]d\\daB]YTWCVYWSWTSWXCZVZWTW]UTZRVdWbiCVWVi]"],
  [0x03d0, "ZZ\\e\\ai`aX`TZT]Wc`              `ZUAbNNZW`j`U]``WWfU\\ZBBTwxj[`Z^^ZZUbWsZ``\\^j`b`Y`ZZf\\b`qrdh[\\s\\"],
  [0x0430, "UWUNZVgQWWTVaVWVXUSU`TZUfk\\cUSeUVVWNTSAAAljWTWUVmg[Woe]Woei`~rTQdbbW_W_W~{aXocmgZTZ       `\\[WZW"],
  [0x0490, "UNUN[TsgZQ^Y\\X  d_e\\p^xkf]`UZS]S]S\\Tk_`\\`U`Wf`f`Bsg\\W^\\`Vd[`UmfB^U^UqkWV]V]VsgZQYY`W`WbWbWbW\\SZU"],
  [0x04f0, "ZUZU`UUNjcUN\\S\\T"],
  [0x052f, "]"],
  [0x0e3f, "Z"],
  [0x1d43, "I   KKI   K IW J   KAJ  I      ;BJI"],
  [0x1d9c, "I   A"],
  [0x1dbb, "H   N"],
  [0x1e00, "^UZXZXZX`U^X^X^X^X^XWVWVWVWVWVVH`X`W`W`W`W`WBABA[T[T[TTATATATAjijiji`W`W`W`WbWbWbWbWYXYXZIZIZIZI"],
  [0x1e60, "ZSZSZSZSZSZHZHZHZH_W_W_W_W_W^U^Upfpfpfpfpf\\T\\T]UZTZTZTWHfUUHGH]W^U^U^U^U^U^U^U^U^U^U^U^UWVWVWVWV"],
  [0x1ec0, "WVWVWVWVBABAbWbWbWbWbWbWbWcXcXcXcXcX_W_Wh\\h\\h\\h\\h\\]U]U]U]UhZWW`ZYYYYYYYY^^^^^^^^TTTTTT  ``ljjk"],
  [0x1f20, "WWWWWWWWjjvttupqCCCCCCCCKJWUUVQRWWWWWW  dfqnkl  VVVVVVVV h r v qiiiiiiiidgqonnklYYTTWWCCWWVVii"],
  [0x1f80, "YYYYYYYY^^^^^^^^WWWWWWWWhjvttupqiiiiiiiidgqonnklYYYYY YY^^^^^ABANNWWW WWbalk`NNHCCCC  CCBBML MNH"],
  [0x1fe0, "VVVVUUVV]]jibNNB  iii iigbgdaBB TxPpE@;[C<6     KK[PppMN?>??JJJMXTTTBSeB       <u~ANZANZQHHaXSSf"],
  [0x2040, "fN`TBIIvggRVWWSCfTQ`f[RgYV>VW@>C                M;  MKLILLLLLAAJMDKLMKLILLLLLAA IIJHNJI;WJKHA"],
  [0x20a0, "``_V[ga~zqiX[bZ~]c`^]`W]ZTXi`_`Z"],
  [0x2100, "rp | tu  s         Q  v[      _ZX_X_  a   [^  Z   V        a"],
  [0x214d, "t x   m      plqpjTBSep^p~~n\\n~T`^jBQbfTcv~eTeuATXio]r]T`i]{       mmmm~mmmmm               zz"],
  [0x21b0, "pp php    mm"],
  [0x21d0, "m m ~         XX    rr u  u"],
  [0x2202, "Z  \\^        ` ][       Z   n            F"],
  [0x2248, "["],
  [0x2260, "[   [["],
  [0x2303, "c c"],
  [0x2318, "p            q~r   ~"],
  [0x2380, "c      q   m"],
  [0x23ce, "pg"],
  [0x2423, "`"],
  [0x2460, "~~~~~~~~~"],
  [0x24b6, "~~~~~~~~~~~~~~~~~~~~~~~~~~"],
  [0x24ea, "~"],
  [0x25a0, "kkk       T       rr  ll  llrr  ll  lltt  Uk   k"],
  [0x25e6, "T        ~                t    ss"],
  [0x263c, "t"],
  [0x2661, "q   q"],
  [0x26a0, "q"],
  [0x2713, "h   h"],
  [0x2756, "t             q"],
  [0x2780, "~~~~~~~~~"],
  [0x27ef, "F     ~~~~~~"],
] as const;

/** Width of what fills a square. */
export const FULL_EM = 1;

/** Width of other characters that the fonts lack. */
export const OTHER_EM = 0.62;

export const EMOJI_EM = 1.25;

export const LONGEST_TOKEN = 16;

/** Parts of the room that a wrapped text is tried in, so that its lines are about as long as each other. */
export const NARROWER = [0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1] as const;

/** How much sums of widths may differ, so that the screen cuts a text where a figure does. */
export const ROUNDING = 1e-6;

export const JOINER = "\u200d";

export const SKIN_TONE_CODES = [[0x1f3fb, 0x1f3ff]] as const;

/** Two of them make one flag. */
export const FLAG_LETTER_CODES = [[0x1f1e6, 0x1f1ff]] as const;

export const FULL_WIDTH_CODES = [
  [0x1100, 0x115f],
  [0x2e80, 0xa4cf],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x1f000, 0x1f2ff],
  [0x20000, 0x3fffd],
] as const;

export const EMOJI_CODES = [[0x1f300, 0x1faff]] as const;

/** Scripts that run from right to left. */
export const LEFTWARD_CODES = [
  [0x0590, 0x08ff],
  [0xfb1d, 0xfdff],
  [0xfe70, 0xfefe],
  [0x10800, 0x10fff],
  [0x1e800, 0x1efff],
] as const;

/** Controls and marks that reorder the text around them; line breaks have a sign of their own. */
export const UNPRINTABLE_CODES = [
  [0x0000, 0x001f],
  [0x007f, 0x009f],
  [0x2028, 0x202e],
  [0x2066, 0x2069],
  [0xd800, 0xdfff],
  [0xfeff, 0xfeff],
  [0xfffe, 0xffff],
] as const;
