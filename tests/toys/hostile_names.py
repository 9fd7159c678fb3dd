"""Names as someone who means harm, or writes in another script, would give them."""

from hypothesis import strategies as st

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</title><svg onload=alert(1)>",
    "{{ 7*7 }}{% raw %}",
    "&lt;b&gt; &#x27;",
    "\u202eevil\u202c\u2066x\u2069",
    "zero\u200bwidth\ufeff",
    "\x1b[31mred\x07",
    "line\none\rtwo\u2028three",
    "=cmd|'/c calc'!A0",
    "@SUM(A1)",
    "a|b\\|c`d`",
    "100% & $5 #1 _x_ ^2 ~y {z} \\end{tabular}",
    "javascript:alert(1)",
    "../../etc/passwd",
    "עברית",
    "名前",
)

#: Texts of any characters but halves of surrogate pairs, and those above.
names = st.sampled_from(HOSTILE) | st.text(min_size=1, max_size=40)
