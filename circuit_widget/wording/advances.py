"""Widths of characters in circuit_widget/figure/fonts; written by `python -m tools.generate_frontend`."""

from typing import Final

PER_EM: Final = 64
"""Units of the widths to an em."""

MONO_EM: Final = 0.6
"""Width of every character of the monospace font, in em."""

ADVANCES: Final = (
    (0x0020, "BDJYZfZ>IIS[CNCH[OXZ[XYVYYCC[[[Sp^Z`^WV``BT[Tj`bYbZZZ_^p\\]ZIHIONPUXUXVHXWAATAiWWXXISHWUfTUTIGI["),
    (0x00A0, "BDUZ`TDUVkNVT [RM[KLPZWCFDNVikmS^^^^^^q`WWWWBBBB^`bbbbb[b____]ZYUUUUUUkUVVVVAAAAVWWWWWW[WWWWWUWU"),
    (0x0100, "^U^U^U`U`U`U`U^^^XWVWVWVWVWV`X`X`X`X`WcWMBBABABABAfQTA[TZTATATGUHUA`W`W`W `WbWbWbWpoZIZIZIZSZSZS"),
    (0x0160, "ZSZHZJZH_W_W_W_W_W_Wpf]U]ZTZTZTBXfZXaZ`dX^kZXWW`ZVLd]nBB]TAZl`WbcXj]eX`ZSZWI]LZh\\aZaYZT\\\\YTXXWTZ"),
    (0x01C0, "BHID ~vxeQ~oh^UBAbW_W_W_W_W_WV^U^Uqk`X`X[TbWbW\\YA~~v`Xx]`W^UqkbW^U^UWVWVBABAbWbWZIZI_W_WZSZHZT`W"),
    (0x0220, "Z^ZZZT^UWVbWbWbWbW]UIbQAll^`UTZSWTT^``WVTAd[[I]UUYZXTUXYTVcTUbUAYXZY^WWWACLEND\\iiiXXWWji]IHLJJGF"),
    (0x0280, "ZZSNNNTHIZZTUfUTX[Y[TTTTbUU^VLTN[TTvo~c[gi]aRS\\]JN;BBHNTI@KB?B;;NNRRNNRR<RHH<NHHBB;;HHHFNBGBPLBH"),
    (0x02E0, "N;HHNHHHHHLKQNNHHHHFHOON@FFFFNNR"),
    (0x0370, "ZT[WBBaZ  BTTTBT    FT^C`jG c kcC^ZU^WZ`bB[^j`Wb`Y ZZ]d\\daB]YTWCVYWSWTSWXCZVZWTW]UTZRVdWbiCVWVi]"),
    (0x03D0, "ZZ\\e\\ai`aX`TZT]Wc`              `ZUAbNNZW`j`U]``WWfU\\ZBBTwxj[`Z^^ZZUbWsZ``\\^j`b`Y`ZZf\\b`qrdh[\\s\\"),
    (0x0430, "UWUNZVgQWWTVaVWVXUSU`TZUfk\\cUSeUVVWNTSAAAljWTWUVmg[Woe]Woei`~rTQdbbW_W_W~{aXocmgZTZ       `\\[WZW"),
    (0x0490, "UNUN[TsgZQ^Y\\X  d_e\\p^xkf]`UZS]S]S\\Tk_`\\`U`Wf`f`Bsg\\W^\\`Vd[`UmfB^U^UqkWV]V]VsgZQYY`W`WbWbWbW\\SZU"),
    (0x04F0, "ZUZU`UUNjcUN\\S\\T"),
    (0x052F, "]"),
    (0x0E3F, "Z"),
    (0x1D43, "I   KKI   K IW J   KAJ  I      ;BJI"),
    (0x1D9C, "I   A"),
    (0x1DBB, "H   N"),
    (0x1E00, "^UZXZXZX`U^X^X^X^X^XWVWVWVWVWVVH`X`W`W`W`W`WBABA[T[T[TTATATATAjijiji`W`W`W`WbWbWbWbWYXYXZIZIZIZI"),
    (0x1E60, "ZSZSZSZSZSZHZHZHZH_W_W_W_W_W^U^Upfpfpfpfpf\\T\\T]UZTZTZTWHfUUHGH]W^U^U^U^U^U^U^U^U^U^U^U^UWVWVWVWV"),
    (0x1EC0, "WVWVWVWVBABAbWbWbWbWbWbWbWcXcXcXcXcX_W_Wh\\h\\h\\h\\h\\]U]U]U]UhZWW`ZYYYYYYYY^^^^^^^^TTTTTT  ``ljjk"),
    (0x1F20, "WWWWWWWWjjvttupqCCCCCCCCKJWUUVQRWWWWWW  dfqnkl  VVVVVVVV h r v qiiiiiiiidgqonnklYYTTWWCCWWVVii"),
    (0x1F80, "YYYYYYYY^^^^^^^^WWWWWWWWhjvttupqiiiiiiiidgqonnklYYYYY YY^^^^^ABANNWWW WWbalk`NNHCCCC  CCBBML MNH"),
    (0x1FE0, "VVVVUUVV]]jibNNB  iii iigbgdaBB TxPpE@;[C<6     KK[PppMN?>??JJJMXTTTBSeB       <u~ANZANZQHHaXSSf"),
    (0x2040, "fN`TBIIvggRVWWSCfTQ`f[RgYV>VW@>C                M;  MKLILLLLLAAJMDKLMKLILLLLLAA IIJHNJI;WJKHA"),
    (0x20A0, "``_V[ga~zqiX[bZ~]c`^]`W]ZTXi`_`Z"),
    (0x2100, "rp | tu  s         Q  v[      _ZX_X_  a   [^  Z   V        a"),
    (0x214D, "t x   m      plqpjTBSep^p~~n\\n~T`^jBQbfTcv~eTeuATXio]r]T`i]{       mmmm~mmmmm               zz"),
    (0x21B0, "pp php    mm"),
    (0x21D0, "m m ~         XX    rr u  u"),
    (0x2202, "Z  \\^        ` ][       Z   n            F"),
    (0x2248, "["),
    (0x2260, "[   [["),
    (0x2303, "c c"),
    (0x2318, "p            q~r   ~"),
    (0x2380, "c      q   m"),
    (0x23CE, "pg"),
    (0x2423, "`"),
    (0x2460, "~~~~~~~~~"),
    (0x24B6, "~~~~~~~~~~~~~~~~~~~~~~~~~~"),
    (0x24EA, "~"),
    (0x25A0, "kkk       T       rr  ll  llrr  ll  lltt  Uk   k"),
    (0x25E6, "T        ~                t    ss"),
    (0x263C, "t"),
    (0x2661, "q   q"),
    (0x26A0, "q"),
    (0x2713, "h   h"),
    (0x2756, "t             q"),
    (0x2780, "~~~~~~~~~"),
    (0x27EF, "F     ~~~~~~"),
)
"""Runs of characters: the first one's code point, and a sign for the width of each, U+0030 for 0 and so on.

Of the two weights of the interface font the wider one counts. A space is for what the font lacks.
"""
