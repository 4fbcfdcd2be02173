//! Trees by hand. `= title`, then `path : content`; U, E and P are the folders of packaged units, of links and of presets.
//! In contents `{S}` is a `[Service]` section, `{F}` that and `WantedBy=multi-user.target`; `\B` is a byte order mark.

#![allow(dead_code, missing_docs, unreachable_pub, reason = "tests")]

pub const CASES: &str = r##"
= simple
U/foo.service : {F}
= lib link
lib : -> usr/lib
U/foo.service : {F}
= etc unit
E/foo.service : {F}
= usrlocal
usr/local/lib/systemd/system/foo.service : {F}
= run unit
run/systemd/system/foo.service : {F}
= split lib
lib/systemd/system/foo.service : {F}
= disable
U/foo.service : {F}
P/1.preset : disable *\n
E/multi-user.target.wants/foo.service : -> /usr/lib/systemd/system/foo.service
E/other.target.requires/foo.service : -> x
E/al.service : -> /usr/lib/systemd/system/foo.service
E/d/e/foo.service : -> /usr/lib/systemd/system/foo.service
E/bar.service : -> /nonexist/foo.service
E/x.wants/zzz.service : -> ../foo.service
E/x.wants/gone.service : -> /usr/lib/systemd/system/gone.service
E/noext/foo : -> /usr/lib/systemd/system/foo.service
run/systemd/system/y.wants/foo.service : -> /usr/lib/systemd/system/foo.service
U/y.wants/foo.service : -> ../foo.service
= enable keeps stale
U/foo.service : {F}
E/old.target.wants/foo.service : -> /usr/lib/systemd/system/foo.service
= enable wrong target
U/foo.service : {F}
E/multi-user.target.wants/foo.service : -> /lib/systemd/system/foo.service
= enable wrong target2
U/foo.service : {F}
E/multi-user.target.wants/foo.service : -> ../bar.service
= mask etc
U/foo.service : {F}
E/foo.service : -> /dev/null
= mask etc, enabled
U/foo.service : {F}
E/foo.service : -> /dev/null
E/multi-user.target.wants/foo.service : -> /usr/lib/systemd/system/foo.service
= mask etc, disabled
U/foo.service : {F}
P/1.preset : disable *\n
E/foo.service : -> /dev/null
E/multi-user.target.wants/foo.service : -> /usr/lib/systemd/system/foo.service
= empty mask
U/foo.service : {F}
E/foo.service : 
= alias
U/foo.service : {F}Alias=bar.service baz.service\n
= alias only
U/foo.service : {S}[Install]\nAlias=bar.service\n
= alias exists
U/foo.service : {F}Alias=bar.service\n
E/bar.service : -> /usr/lib/systemd/system/quux.service
= alias exists file
U/foo.service : {F}Alias=bar.service\n
E/bar.service : {F}
= alias in usr
U/foo.service : {F}
U/bar.service : -> foo.service
= alias in usr and Alias=
U/foo.service : {F}Alias=bar.service\n
U/bar.service : -> foo.service
= also
U/foo.service : {S}[Install]\nAlso=foo.socket\n
U/foo.socket : [Install]\nWantedBy=sockets.target\n
= also with disabled socket
U/foo.service : {S}[Install]\nWantedBy=a.target\nAlso=foo.socket\n
U/foo.socket : [Install]\nWantedBy=sockets.target\n
P/1.preset : disable foo.socket\n
= also with disabled service
U/foo.service : {S}[Install]\nWantedBy=a.target\nAlso=foo.socket\n
U/foo.socket : [Install]\nWantedBy=sockets.target\n
P/1.preset : disable foo.service\n
E/sockets.target.wants/foo.socket : -> /usr/lib/systemd/system/foo.socket
= also missing
U/foo.service : {F}Also=gone.service\n
= template
U/foo@.service : {F}
= template default
U/foo@.service : {F}DefaultInstance=one\n
= template preset
U/foo@.service : {F}DefaultInstance=one\n
P/1.preset : enable foo@.service a b\n
= template preset nodefault
U/foo@.service : {F}
P/1.preset : enable foo@.service a b\n
= template preset inst
U/foo@.service : {F}
P/1.preset : enable foo@a.service\nenable foo@b.service\n
= template disabled
U/foo@.service : {F}
P/1.preset : disable foo@.service\n
E/multi-user.target.wants/foo@x.service : -> /usr/lib/systemd/system/foo@.service
= static
U/foo.service : {S}
E/multi-user.target.wants/foo.service : -> /usr/lib/systemd/system/foo.service
= static disabled
U/foo.service : {S}
P/1.preset : disable *\n
E/multi-user.target.wants/foo.service : -> /usr/lib/systemd/system/foo.service
= dropin install
U/foo.service : {S}
E/foo.service.d/1.conf : [Install]\nWantedBy=multi-user.target\n
= dropin usr install
U/foo.service : {F}
U/foo.service.d/1.conf : [Install]\nWantedBy=x.target\n
= dropin reset
U/foo.service : {F}
U/foo.service.d/1.conf : [Install]\nWantedBy=\nRequiredBy=x.target\n
= dropin type
U/foo.service : {S}
U/service.d/1.conf : [Install]\nWantedBy=x.target\n
= dropin prefix
U/foo-bar.service : {S}
U/foo-.service.d/1.conf : [Install]\nWantedBy=x.target\n
= upheld
U/foo.service : {S}[Install]\nUpheldBy=a.service\nRequiredBy=b.service\n
= also disable 1
U/foo.service : {F}Also=foo.socket\n
U/foo.socket : [Install]\nWantedBy=sockets.target\n
P/1.preset : disable foo.service\nignore foo.socket\n
E/sockets.target.wants/foo.socket : -> /usr/lib/systemd/system/foo.socket
= also disable 2
U/foo.service : {F}Also=foo.socket\n
U/foo.socket : [Service]\n
P/1.preset : disable foo.service\n
E/sockets.target.wants/foo.socket : -> /usr/lib/systemd/system/foo.socket
= also disable 3
U/foo.service : {F}Also=zzz.socket\n
P/1.preset : disable foo.service\n
E/sockets.target.wants/zzz.socket : -> /usr/lib/systemd/system/zzz.socket
= ignore
U/foo.service : {F}
P/1.preset : ignore foo.service\n
= etc alias link
U/foo.service : {F}
E/bar.service : -> /usr/lib/systemd/system/foo.service
= etc alias link disabled
U/foo.service : {F}
E/bar.service : -> /usr/lib/systemd/system/foo.service
P/1.preset : disable *\n
= etc alias link disabled by alias name
U/foo.service : {F}
E/bar.service : -> /usr/lib/systemd/system/foo.service
P/1.preset : disable bar.service\n
= etc override link
U/foo.service : {F}
U/bar.service : {S}
E/bar.service : -> /usr/lib/systemd/system/foo.service
= linked /opt
opt/foo.service : {F}
E/foo.service : -> /opt/foo.service
= linked /opt disabled
opt/foo.service : {F}
E/foo.service : -> /opt/foo.service
P/1.preset : disable *\n
= linked /opt other name
opt/foo.service : {F}
E/bar.service : -> /opt/foo.service
= linked rel
opt/foo.service : {F}
E/foo.service : -> ../../../opt/foo.service
= linked dangling
E/foo.service : -> /opt/foo.service
= linked usr to usr file
usr/share/foo.service : {F}
U/foo.service : -> /usr/share/foo.service
= linked usr rel to usr file
usr/share/foo.service : {F}
U/foo.service : -> ../../../share/foo.service
= instance file
U/foo@x.service : {F}
= instance file + template
U/foo@x.service : {F}
U/foo@.service : {S}[Install]\nWantedBy=t.target\n
= instance symlink
U/foo@x.service : -> foo@.service
U/foo@.service : {S}[Install]\nWantedBy=t.target\n
= instance symlink etc
E/foo@x.service : -> /usr/lib/systemd/system/foo@.service
U/foo@.service : {S}[Install]\nWantedBy=t.target\n
= specifiers bad
U/foo.service : {S}[Install]\nWantedBy=x%!.target y%Q.target z%.target ok.target\n
= wants template
U/foo.service : {S}[Install]\nWantedBy=bar@.service\n
U/bar@.service : {S}
= template wants template
U/foo@.service : {S}[Install]\nWantedBy=bar@.service\nDefaultInstance=z\n
U/bar@.service : {S}
= template wants template nodef
U/foo@.service : {S}[Install]\nWantedBy=bar@.service\n
U/bar@.service : {S}
= wants instance
U/foo.service : {S}[Install]\nWantedBy=bar@x.service\n
U/bar@.service : {S}
= alias type
U/foo.service : {S}[Install]\nAlias=bar.socket\n
= alias template of plain
U/foo.service : {S}[Install]\nAlias=bar@.service bar@x.service\n
= alias of template
U/foo@.service : {S}[Install]\nAlias=bar@.service\n
= alias of template w default
U/foo@.service : {S}[Install]\nAlias=bar@.service\nDefaultInstance=d\n
= alias of template inst
U/foo@.service : {S}[Install]\nAlias=bar@y.service bar.service\nDefaultInstance=d\n
= alias of template inst2
U/foo@.service : {S}[Install]\nAlias=bar@%i.service\n
P/1.preset : enable foo@.service a b\n
= alias self
U/foo.service : {S}[Install]\nAlias=foo.service\n
= alias wants path
U/foo.service : {S}[Install]\nAlias=x.wants/foo.service\n
= alias wants path2
U/foo.service : {S}[Install]\nAlias=x.target.wants/foo.service x.target.wants/bar.service\n
= usr mask
U/foo.service : -> /dev/null
= usr empty
U/foo.service : 
= usr mask disabled
U/foo.service : -> /dev/null
P/1.preset : disable *\n
E/x.wants/foo.service : -> /usr/lib/systemd/system/foo.service
= bad wantedby
U/foo.service : {S}[Install]\nWantedBy=foo a/b.target x.target y.bogus  -.target\n
= etc wins
U/foo.service : {F}
E/foo.service : {S}[Install]\nWantedBy=e.target\n
= etc no install
U/foo.service : {F}
E/foo.service : {S}
= existing rel link
U/foo.service : {F}
E/multi-user.target.wants/foo.service : -> ../foo.service
= existing rel link good
U/foo.service : {F}
E/multi-user.target.wants/foo.service : -> ../../../../usr/lib/systemd/system/foo.service
= existing /lib
lib : -> usr/lib
U/foo.service : {F}
E/multi-user.target.wants/foo.service : -> /lib/systemd/system/foo.service
= existing other spelling
U/foo.service : {F}
E/multi-user.target.wants/foo.service : -> /usr//lib/systemd/./system/foo.service
= existing to etc
U/foo.service : {F}
E/multi-user.target.wants/foo.service : -> /etc/systemd/system/foo.service
= getty
U/getty@.service : {S}[Install]\nWantedBy=getty.target\nDefaultInstance=tty1\nAlias=autovt@.service\n
= preset alias name
U/foo.service : {F}Alias=bar.service\n
P/1.preset : enable bar.service\ndisable *\n
= alias= stale
P/1.preset : disable *\n
U/foo.service : {F}Alias=bar.service\n
E/bar.service : -> /x/quux.service
E/a.wants/bar.service : -> /x/qqq.service
= usr alias
P/1.preset : disable *\n
U/foo.service : {F}
U/al.service : -> foo.service
E/y.wants/al.service : -> /q/al.service
E/y.wants/foo.service : -> /q/al.service
= usr alias disable alias
P/1.preset : disable al.service\n
U/foo.service : {F}
U/al.service : -> foo.service
E/y.wants/al.service : -> /q/al.service
E/y.wants/foo.service : -> /q/al.service
= usr alias enable alias
P/1.preset : enable al.service\ndisable *\n
U/foo.service : {F}
U/al.service : -> foo.service
E/y.wants/al.service : -> /q/al.service
E/y.wants/foo.service : -> /q/al.service
= usr template alias
P/1.preset : disable *\n
U/foo@.service : {F}
U/al@.service : -> foo@.service
E/y.wants/al@x.service : -> /usr/lib/systemd/system/al@.service
E/y.wants/foo@x.service : -> /usr/lib/systemd/system/foo@.service
E/z.wants/foo@q.service : -> /q/bla.service
= template link names
P/1.preset : disable *\n
U/foo@.service : {F}
E/z.wants/foo@q.service : -> /q/foo@q.service
E/z.wants/foo@.service : -> /q/zzz.service
= dir in wants nonunit
P/1.preset : disable *\n
U/foo.service : {F}
E/multi-user.target.wants/foo.service : -> /usr/lib/systemd/system/foo.service
E/multi-user.target.wants/README : x
= empty dir kept
P/1.preset : disable *\n
U/foo.service : {F}
E/e/sub/foo.service : -> /usr/lib/systemd/system/foo.service
E/e/x : 
E/zz.wants/sub/x : -> /usr/lib/systemd/system/foo.service
= template other instance kept
P/1.preset : enable foo@.service a\ndisable *\n
U/foo@.service : {F}
E/multi-user.target.wants/foo@c.service : -> /usr/lib/systemd/system/foo@.service
= also template
U/foo.service : {F}Also=bar@.service bar@x.service\n
U/bar@.service : {S}[Install]\nWantedBy=q.target\nDefaultInstance=d\n
P/1.preset : enable foo.service\ndisable *\n
= also template %i
U/foo@.service : {F}Also=bar@%i.service\n
U/bar@.service : {S}[Install]\nWantedBy=q.target\n
P/1.preset : enable foo@.service a\ndisable *\n
= also alias
U/foo.service : {F}Also=al.service\n
U/bar.service : {S}[Install]\nWantedBy=q.target\n
U/al.service : -> bar.service
P/1.preset : enable foo.service\ndisable *\n
= also masked
U/foo.service : {F}Also=bar.service\n
U/bar.service : {S}[Install]\nWantedBy=q.target\n
E/bar.service : -> /dev/null
P/1.preset : enable foo.service\ndisable *\n
= also chain
U/foo.service : {F}Also=b.service\n
U/b.service : {S}[Install]\nAlso=c.service\n
U/c.service : {S}[Install]\nWantedBy=q.target\n
P/1.preset : enable foo.service\ndisable *\n
= also static
U/foo.service : {S}[Install]\nAlso=b.service\n
U/b.service : {S}
= preset syntax
U/a.service : {F}
U/b.service : {F}
U/c.service : {F}
U/d.service : {F}
U/e.service : {F}
U/f.service : {F}
U/g.service : {F}
P/1.preset : # c\n; x\n\n  disable   a.service  \ndisable b.service # no\nDISABLE c.service\ndisable d.service e.service\ndisable\tf.service\nbogus g.service\ndisablee g.service\ndisable\n
= preset globs
U/ab.service : {F}
U/ac.service : {F}
U/bd.service : {F}
U/b-d.service : {F}
U/x[y].service : {F}
U/q?.service : {F}
P/1.preset : disable a[b]*\ndisable b?d.service\ndisable x\\[y].service\ndisable {q,z}*\n
= preset order
U/a.service : {F}
U/b.service : {F}
U/c.service : {F}
P/20.preset : disable a.service\nenable b.service\n
etc/systemd/system-preset/30.preset : enable a.service\ndisable b.service\ndisable c.service\n
= preset order2
U/a.service : {F}
U/b.service : {F}
U/c.service : {F}
P/20.preset : disable a.service\n
etc/systemd/system-preset/10.preset : enable a.service\n
= preset override
U/a.service : {F}
P/20.preset : disable a.service\n
etc/systemd/system-preset/20.preset : # nothing\n
= preset mask
U/a.service : {F}
P/20.preset : disable a.service\n
etc/systemd/system-preset/20.preset : -> /dev/null
= preset empty
U/a.service : {F}
P/20.preset : disable a.service\n
etc/systemd/system-preset/20.preset : 
= preset dangling
U/a.service : {F}
P/20.preset : disable a.service\n
etc/systemd/system-preset/20.preset : -> /opt/x
= preset run/local/lib
U/a.service : {F}
U/b.service : {F}
U/c.service : {F}
run/systemd/system-preset/20.preset : disable a.service\n
usr/local/lib/systemd/system-preset/2.preset : disable b.service\n
lib/systemd/system-preset/5.preset : disable c.service\n
= preset noext
U/a.service : {F}
P/20.conf : disable a.service\n
P/.h.preset : disable a.service\n
= preset inst for plain
U/a.service : {F}
P/1.preset : enable a.service x y\n
= preset inst glob
U/a@.service : {F}
P/1.preset : enable a*@.service x y\n
= preset inst twice
U/a@.service : {F}
P/1.preset : enable a@.service x\nenable a@.service y\n
= preset disable inst
U/a@.service : {F}DefaultInstance=q\n
P/1.preset : disable a@.service x\n
E/multi-user.target.wants/a@x.service : -> /usr/lib/systemd/system/a@.service
E/multi-user.target.wants/a@y.service : -> /usr/lib/systemd/system/a@.service
= preset bad inst
U/a@.service : {F}
P/1.preset : enable a@.service x/y z "q r"\n
= preset cont
U/a.service : {F}
U/b.service : {F}
P/1.preset : disable \\\na.service\n
= preset nonl
U/a.service : {F}
U/b.service : {F}
P/1.preset : disable a.service
= preset crlf
U/a.service : {F}
U/b.service : {F}
P/1.preset : disable a.service\r\n
= chase usr alias
P/1.preset : disable *\n
U/foo.service : {F}
U/al.service : -> foo.service
E/y.wants/zz.service : -> /usr/lib/systemd/system/al.service
E/y.wants/zr.service : -> ../../../../usr/lib/systemd/system/al.service
= chase /lib
P/1.preset : disable *\n
lib : -> usr/lib
U/foo.service : {F}
E/y.wants/zz.service : -> /lib/systemd/system/foo.service
E/y.wants/z3.service : -> /lib/systemd/system/al.service
U/al.service : -> foo.service
= linked out
P/1.preset : disable *\n
opt/foo.service : {F}
E/foo.service : -> /opt/foo.service
E/x.wants/zq.service : -> /opt/foo.service
E/x.wants/foo.service : -> /opt/foo.service
E/x.wants/zz.service : -> /etc/systemd/system/foo.service
= linked out other
P/1.preset : disable *\n
opt/foo.service : {F}
E/bar.service : -> /opt/foo.service
E/x.wants/zq.service : -> /opt/foo.service
E/x.wants/zz.service : -> /opt/bar.service
E/x.wants/foo.service : -> /zz/gg.service
= etc file kept
P/1.preset : disable *\n
E/foo.service : {F}
E/x.wants/foo.service : -> ../foo.service
= link own dir
P/1.preset : disable *\n
U/foo.service : {F}
E/foo.service : -> /usr/lib/systemd/system/foo.service
= link own dir enabled
U/foo.service : {F}
E/foo.service : -> /usr/lib/systemd/system/foo.service
= dangling etc link to usr same name
P/1.preset : disable *\n
E/foo.service : -> /usr/lib/systemd/system/foo.service
E/x.wants/foo.service : -> /usr/lib/systemd/system/foo.service
= prewrong
U/foo.service : {S}[Install]\nWantedBy=f-%I.target\n
= specI
U/foo@.service : {S}[Install]\nDefaultInstance=q-r\nWantedBy=f-%I.target a.target\n
= spec!
U/foo@.service : {S}[Install]\nDefaultInstance=q-r\nWantedBy=f-%!.target a.target\n
= specQ
U/foo@.service : {S}[Install]\nDefaultInstance=q-r\nWantedBy=f-%Q.target a.target\nRequiredBy=r.target\nAlias=x@q.service\n
U/goo.service : {F}
= spec%
U/foo.service : {S}[Install]\nWantedBy=f-%%.target a.target\n
= bad rest
U/foo.service : {S}[Install]\nWantedBy=f-%Q.target a.target\nRequiredBy=r.target\nAlias=x.service y.socket z.service\nAlso=goo.service\n
U/goo.service : {S}[Install]\nWantedBy=g.target
P/1.preset : enable foo.service\ndisable *\n
= bad words
P/1.preset : disable *\n
U/foo.service : {S}[Install]\nWantedBy=a/b.target\n
= pq enable a@.service z "q r"
U/a@.service : {F}DefaultInstance=dd\n
P/1.preset : enable a@.service z "q r"\ndisable *\n
= pq enable a@.service "z"
U/a@.service : {F}DefaultInstance=dd\n
P/1.preset : enable a@.service "z"\ndisable *\n
= pq enable a@.service 'z' y
U/a@.service : {F}DefaultInstance=dd\n
P/1.preset : enable a@.service 'z' y\ndisable *\n
= pq enable a@.service x/y
U/a@.service : {F}DefaultInstance=dd\n
P/1.preset : enable a@.service x/y\ndisable *\n
= pq enable a@.service z x/y q
U/a@.service : {F}DefaultInstance=dd\n
P/1.preset : enable a@.service z x/y q\ndisable *\n
= pq enable "a@.service" z
U/a@.service : {F}DefaultInstance=dd\n
P/1.preset : enable "a@.service" z\ndisable *\n
= pq enable a@.service x@y
U/a@.service : {F}DefaultInstance=dd\n
P/1.preset : enable a@.service x@y\ndisable *\n
= pq enable a@.service  x   y 
U/a@.service : {F}DefaultInstance=dd\n
P/1.preset : enable a@.service  x   y \ndisable *\n
= pq enable  a@.service
U/a@.service : {F}DefaultInstance=dd\n
P/1.preset : enable  a@.service\ndisable *\n
= pq enable a@.service \x41
U/a@.service : {F}DefaultInstance=dd\n
P/1.preset : enable a@.service \\x41\ndisable *\n
= pq enable a@*.service x
U/a@.service : {F}DefaultInstance=dd\n
P/1.preset : enable a@*.service x\ndisable *\n
= pq enable a@?service x
U/a@.service : {F}DefaultInstance=dd\n
P/1.preset : enable a@?service x\ndisable *\n
= pq enable [a]@.service x
U/a@.service : {F}DefaultInstance=dd\n
P/1.preset : enable [a]@.service x\ndisable *\n
= pq disable "a@.service"
U/a@.service : {F}DefaultInstance=dd\n
P/1.preset : disable "a@.service"\ndisable *\n
= preset rel symlink
U/a.service : {F}
opt/x : disable a.service\n
P/20.preset : -> ../../../../opt/x
= unit \'WantedBy="a.target" \\'b.target\\'\'
U/a.service : {S}[Install]\nWantedBy="a.target" 'b.target'\n
= unit 'WantedBy=a.target \\\n b.target'
U/a.service : {S}[Install]\nWantedBy=a.target \\\n b.target\n
= unit 'WantedBy=a.target \\\n# comment\n b.target'
U/a.service : {S}[Install]\nWantedBy=a.target \\\n# comment\n b.target\n
= unit 'WantedBy=a.target,b.target'
U/a.service : {S}[Install]\nWantedBy=a.target,b.target\n
= unit '  WantedBy = a.target  '
U/a.service : {S}[Install]\n  WantedBy = a.target  \n
= unit 'wantedby=a.target'
U/a.service : {S}[Install]\nwantedby=a.target\n
= unit 'WantedBy=a.target # b.target'
U/a.service : {S}[Install]\nWantedBy=a.target # b.target\n
= unit 'WantedBy=a.target\nWantedBy=\nWantedBy=b.target'
U/a.service : {S}[Install]\nWantedBy=a.target\nWantedBy=\nWantedBy=b.target\n
= unit 'WantedBy=a.target\r'
U/a.service : {S}[Install]\nWantedBy=a.target\r\n
= unit 'garbage\nWantedBy=a.target'
U/a.service : {S}[Install]\ngarbage\nWantedBy=a.target\n
= unit '[Service]\nx=y\n [Install] \nWantedBy=a.target'
U/a.service : {S}[Install]\n[Service]\nx=y\n [Install] \nWantedBy=a.target\n
= unit '[Install\nWantedBy=a.target'
U/a.service : {S}[Install]\n[Install\nWantedBy=a.target\n
= unit 'X=[\n[x]\nWantedBy=b.target\n[Install]\nWantedBy=a.target'
U/a.service : {S}[Install]\nX=[\n[x]\nWantedBy=b.target\n[Install]\nWantedBy=a.target\n
= unit 'WantedBy=\\x41.target'
U/a.service : {S}[Install]\nWantedBy=\\x41.target\n
= unit 'WantedBy=a\\x2db.target'
U/a.service : {S}[Install]\nWantedBy=a\\x2db.target\n
= unit 'WantedBy=a\\\\x2db.target'
U/a.service : {S}[Install]\nWantedBy=a\\\\x2db.target\n
= unit \'WantedBy="a b.target" c.target\'
U/a.service : {S}[Install]\nWantedBy="a b.target" c.target\n
= unit \'WantedBy="a.target\'
U/a.service : {S}[Install]\nWantedBy="a.target\n
= unit 'WantedBy=a.target a.target'
U/a.service : {S}[Install]\nWantedBy=a.target a.target\n
= unit '=a\nWantedBy=a.target'
U/a.service : {S}[Install]\n=a\nWantedBy=a.target\n
= unit 'WantedBy=a.target\\'
U/a.service : {S}[Install]\nWantedBy=a.target\\\n
= unit 'Wanted By=x\n;WantedBy=c.target\n#WantedBy=d.target\nWantedBy:a.target\nWantedBy=e.target'
U/a.service : {S}[Install]\nWanted By=x\n;WantedBy=c.target\n#WantedBy=d.target\nWantedBy:a.target\nWantedBy=e.target\n
= unit 'WantedBy=a.target;b.target'
U/a.service : {S}[Install]\nWantedBy=a.target;b.target\n
= unit 'WantedBy=a.target\\\nb.target'
U/a.service : {S}[Install]\nWantedBy=a.target\\\nb.target\n
= unit nosec
U/a.service : WantedBy=a.target\n[Install]\nWantedBy=b.target
= unit bom
U/a.service : \B[Install]\nWantedBy=b.target
= existing /usr/local/lib/systemd/system/foo.service
U/foo.service : {F}
E/multi-user.target.wants/foo.service : -> /usr/local/lib/systemd/system/foo.service
U/al.service : -> foo.service
= existing /run/systemd/system/foo.service
U/foo.service : {F}
E/multi-user.target.wants/foo.service : -> /run/systemd/system/foo.service
U/al.service : -> foo.service
= existing /usr/lib/systemd/user/foo.service
U/foo.service : {F}
E/multi-user.target.wants/foo.service : -> /usr/lib/systemd/user/foo.service
U/al.service : -> foo.service
= existing foo.service
U/foo.service : {F}
E/multi-user.target.wants/foo.service : -> foo.service
U/al.service : -> foo.service
= existing /foo.service
U/foo.service : {F}
E/multi-user.target.wants/foo.service : -> /foo.service
U/al.service : -> foo.service
= existing ../../../../../../../usr/lib/systemd/system/foo.service
U/foo.service : {F}
E/multi-user.target.wants/foo.service : -> ../../../../../../../usr/lib/systemd/system/foo.service
U/al.service : -> foo.service
= existing /usr/lib/systemd/system/../system/foo.service
U/foo.service : {F}
E/multi-user.target.wants/foo.service : -> /usr/lib/systemd/system/../system/foo.service
U/al.service : -> foo.service
= existing /etc/systemd/system/x.wants/foo.service
U/foo.service : {F}
E/multi-user.target.wants/foo.service : -> /etc/systemd/system/x.wants/foo.service
U/al.service : -> foo.service
= existing /run/systemd/generator/foo.service
U/foo.service : {F}
E/multi-user.target.wants/foo.service : -> /run/systemd/generator/foo.service
U/al.service : -> foo.service
= existing /etc/systemd/system.control/foo.service
U/foo.service : {F}
E/multi-user.target.wants/foo.service : -> /etc/systemd/system.control/foo.service
U/al.service : -> foo.service
= existing /usr/lib/systemd/system/al.service
U/foo.service : {F}
E/multi-user.target.wants/foo.service : -> /usr/lib/systemd/system/al.service
U/al.service : -> foo.service
= existing /usr/lib/systemd/system/foo.service/
U/foo.service : {F}
E/multi-user.target.wants/foo.service : -> /usr/lib/systemd/system/foo.service/
U/al.service : -> foo.service
= existing /dev/null
U/foo.service : {F}
E/multi-user.target.wants/foo.service : -> /dev/null
U/al.service : -> foo.service
= existing alias /usr/lib/systemd/system/al.service
U/foo.service : {S}[Install]\nAlias=bar.service
E/bar.service : -> /usr/lib/systemd/system/al.service
U/al.service : -> foo.service
= existing alias /etc/systemd/system/foo.service
U/foo.service : {S}[Install]\nAlias=bar.service
E/bar.service : -> /etc/systemd/system/foo.service
U/al.service : -> foo.service
= existing alias ../system/foo.service
U/foo.service : {S}[Install]\nAlias=bar.service
E/bar.service : -> ../system/foo.service
U/al.service : -> foo.service
= existing alias foo.service
U/foo.service : {S}[Install]\nAlias=bar.service
E/bar.service : -> foo.service
U/al.service : -> foo.service
= existing alias /gone/foo.service
U/foo.service : {S}[Install]\nAlias=bar.service
E/bar.service : -> /gone/foo.service
U/al.service : -> foo.service
= existing file in wants
U/foo.service : {F}
E/multi-user.target.wants/foo.service : x
= inst list + alias
P/1.preset : enable foo@.service a b\n
U/foo@.service : {F}Alias=bar@.service\n
= inst list + alias inst
P/1.preset : enable foo@.service a b\n
U/foo@.service : {F}Alias=bar@a.service\n
= inst list + wants template
P/1.preset : enable foo@.service a b\n
U/foo@.service : {S}[Install]\nWantedBy=bar@.service\n
= inst file alias
U/foo@x.service : {F}Alias=bar@x.service bar@y.service bar@.service bar.service\n
= inst file alias ok
U/foo@x.service : {F}Alias=bar@x.service\n
= inst link own template dis
P/1.preset : disable foo@x.service\n
U/foo@x.service : -> foo@.service
U/foo@.service : {F}
E/a.wants/foo@x.service : -> /usr/lib/systemd/system/foo@.service
E/a.wants/foo@y.service : -> /usr/lib/systemd/system/foo@.service
= inst link etc own template dis
P/1.preset : disable foo@x.service\n
E/foo@x.service : -> /usr/lib/systemd/system/foo@.service
U/foo@.service : {F}
= inst list and inst file
P/1.preset : enable foo@.service x\ndisable *\n
U/foo@x.service : {S}[Install]\nWantedBy=own.target\n
U/foo@.service : {F}
= inst list and inst masked
P/1.preset : enable foo@.service x\ndisable *\n
E/foo@x.service : -> /dev/null
U/foo@.service : {F}
= inst dropin
P/1.preset : enable foo@.service x\ndisable *\n
E/foo@x.service.d/a.conf : [Install]\nWantedBy=x.target\n
E/foo@.service.d/a.conf : [Install]\nWantedBy=t.target\n
U/foo@.service : {F}
= default dropin
E/foo@x.service.d/a.conf : [Install]\nWantedBy=x.target\n
E/foo@.service.d/a.conf : [Install]\nWantedBy=t.target\n
U/foo@.service : {F}DefaultInstance=x\n
= dropin order
U/foo.service : {S}
E/foo.service.d/20.conf : [Install]\nWantedBy=\nWantedBy=b.target\n
U/foo.service.d/10.conf : [Install]\nWantedBy=a.target\n
U/foo.service.d/30.conf : [Install]\nWantedBy=c.target\n
E/foo.service.d/x : [Install]\nWantedBy=no.target\n
= dropin override
U/foo.service : {S}
E/foo.service.d/10.conf : [Install]\nWantedBy=b.target\n
U/foo.service.d/10.conf : [Install]\nWantedBy=a.target\n
= dropin masked
U/foo.service : {S}
E/foo.service.d/10.conf : -> /dev/null
U/foo.service.d/10.conf : [Install]\nWantedBy=a.target\n
= dropin empty
U/foo.service : {S}
E/foo.service.d/10.conf : 
U/foo.service.d/10.conf : [Install]\nWantedBy=a.target\n
= dropin control/run
U/foo.service : {S}
run/systemd/system/foo.service.d/10.conf : [Install]\nWantedBy=b.target\n
etc/systemd/system.control/foo.service.d/11.conf : [Install]\nWantedBy=a.target\n
= dropin alias name
U/foo.service : {S}
U/al.service : -> foo.service
E/al.service.d/10.conf : [Install]\nWantedBy=b.target\n
= dropin linked
opt/foo.service : {S}
E/foo.service : -> /opt/foo.service
E/foo.service.d/10.conf : [Install]\nWantedBy=b.target\n
= dropin linked other
opt/foo.service : {S}
E/bar.service : -> /opt/foo.service
E/bar.service.d/10.conf : [Install]\nWantedBy=b.target\n
E/foo.service.d/10.conf : [Install]\nWantedBy=c.target\n
= dropin bad
U/foo.service : {F}
E/foo.service.d/10.conf : [Install\nWantedBy=b.target\n
E/foo.service.d/20.conf : [Install]\nWantedBy=c.target\n
= dropin also alias default
U/foo@.service : {F}
E/foo@.service.d/10.conf : [Install]\nDefaultInstance=x\nAlias=q@.service\nAlso=z.service\n
U/z.service : {S}[Install]\nWantedBy=z.target\n
P/1.preset : enable foo@.service\ndisable *\n
= default reset
U/foo@.service : {F}DefaultInstance=x\nDefaultInstance=y\n
U/boo@.service : {F}DefaultInstance=x\nDefaultInstance=\n
U/coo@.service : {F}DefaultInstance=x/y\n
U/doo@.service : {F}DefaultInstance=%p\n
U/eoo@.service : {F}DefaultInstance=a b\n
U/goo@.service : {F}DefaultInstance="q"\n
U/hoo.service : {F}DefaultInstance=q\n
= names
U/a b.service : [Install]\nWantedBy=m.target\n
U/.service : [Install]\nWantedBy=m.target\n
U/x.y.service : [Install]\nWantedBy=m.target\n
U/-.mount : [Install]\nWantedBy=m.target\n
U/a:b_c\x2d-.service : [Install]\nWantedBy=m.target\n
U/@.service : [Install]\nWantedBy=m.target\n
U/@x.service : [Install]\nWantedBy=m.target\n
U/a@b@c.service : [Install]\nWantedBy=m.target\n
U/a@b@.service : [Install]\nWantedBy=m.target\n
U/.hid.service : [Install]\nWantedBy=m.target\n
U/A.service : [Install]\nWantedBy=m.target\n
U/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.service : [Install]\nWantedBy=m.target\n
U/yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy.target : [Install]\nWantedBy=m.target\n
U/é.service : [Install]\nWantedBy=m.target\n
U/a~.service : [Install]\nWantedBy=m.target\n
U/x.service~ : [Install]\nWantedBy=m.target\n
U/a+b.service : [Install]\nWantedBy=m.target\n
U/a@yyyyyyyyyy.service : [Install]\nWantedBy=m.target\n
= dir unit
U/foo.service/x : q
U/bar.service : {F}
= etc dir link2
opt/u/foo.service : {F}
usr/local/lib/systemd/system : -> ../../../../opt/u
= linked own dis
U/foo.service : {F}
E/foo.service : -> /usr/lib/systemd/system/foo.service
E/x.wants/foo.service : -> /x/foo.service
P/1.preset : disable *\n
= self alias loop
E/foo.service : -> foo.service
E/a.service : -> b.service
E/b.service : -> a.service
U/q.service : {F}
= plain alias to linked
opt/foo.service : {F}
E/foo.service : -> /opt/foo.service
E/bar.service : -> foo.service
= alias to masked
U/foo.service : -> /dev/null
E/bar.service : -> /usr/lib/systemd/system/foo.service
= chain mask
E/foo.service : -> bar.service
E/bar.service : -> /dev/null
U/foo.service : {F}
= inst dropin2
P/1.preset : enable foo@.service x\ndisable *\n
E/foo@x.service.d/a.conf : [Install]\nWantedBy=x.target\n
E/foo@.service.d/b.conf : [Install]\nWantedBy=t.target\n
U/foo@.service : {F}
= inst dropin3
E/foo@x.service.d/a.conf : [Install]\nWantedBy=x.target\n
E/foo@.service.d/b.conf : [Install]\nWantedBy=t.target\n
U/foo@x.service : {F}
= inst dropin4
E/foo@x.service.d/a.conf : [Install]\nWantedBy=x.target\n
E/foo@.service.d/b.conf : [Install]\nWantedBy=t.target\n
U/foo@.service : {F}
U/foo@x.service : -> foo@.service
= inst dropin also
E/foo@x.service.d/a.conf : [Install]\nWantedBy=x.target\n
E/foo@.service.d/b.conf : [Install]\nWantedBy=t.target\n
U/foo@.service : {F}
U/q.service : {S}[Install]\nAlso=foo@x.service\n
= also of disabled in dropin
E/foo@.service.d/b.conf : [Install]\nDefaultInstance=t\n
U/foo@.service : {F}
= inst list default also
P/1.preset : enable foo@.service x\ndisable *\n
U/foo@.service : {F}DefaultInstance=q\n
U/q.service : {S}
= alias over usr unit
U/a.service : {S}[Install]\nAlias=z.service\n
U/z.service : {F}
= alias over mask
U/a.service : {S}[Install]\nAlias=z.service\n
E/z.service : -> /dev/null
= wants through dirlink2
U/a.service : {S}[Install]\nWantedBy=q.target\n
E/q.target.wants : -> ../../other
etc/other/x : 
= also plain of template inst
U/a.service : {S}[Install]\nAlso=b@.service\n
U/b@.service : {F}
= also missing inst
U/a.service : {F}Also=b@.service c@x.service d%i.service\n
= also bad
U/a.service : {F}Also=foo x/y b@.bogus %Q.service\n
= unreadable dirs
U/a.service : {F}
E/b.service/x : 
P/5.preset/x : 
= plain with inst args + disable
U/a.service : {F}
P/1.preset : enable a.service x y\ndisable *\n
= instance by template rule
U/a@x.service : {F}
P/1.preset : disable a@.service\n
= instance by template rule en
U/a@x.service : {F}
P/1.preset : enable a@.service\ndisable *
= instance by template rule en x
U/a@x.service : {F}
P/1.preset : enable a@.service x\ndisable *
= etc override link F
U/foo.service : {S}
U/bar.service : {F}
E/bar.service : -> /usr/lib/systemd/system/foo.service
= etc override link F dis
P/1.preset : disable *\n
U/foo.service : {S}
U/bar.service : {F}
E/bar.service : -> /usr/lib/systemd/system/foo.service
E/x.wants/bar.service : -> /q/bar.service
= etc override link F disbar
P/1.preset : disable bar.service
U/foo.service : {S}
U/bar.service : {F}
E/bar.service : -> /usr/lib/systemd/system/foo.service
E/x.wants/bar.service : -> /q/bar.service
= dest template
P/1.preset : disable *\n
U/foo@.service : {F}
E/x.wants/other@z.service : -> /gone/foo@y.service
E/x.wants/other@y.service : -> /gone/foo@.service
E/x.wants/other.service : -> /gone/foo@y.service
= instance mask
P/1.preset : disable *\n
U/foo@.service : {F}
E/foo@x.service : -> /dev/null
= instance mask etc template
P/1.preset : disable *\n
E/foo@.service : {F}
E/foo@x.service : -> /dev/null
E/x.wants/foo@x.service : -> /dev/null
= alias existing to existing
U/a.service : {S}[Install]\nAlias=z.service\n
U/o.service : {S}
E/z.service : -> /usr/lib/systemd/system/o.service
= wants existing to existing
U/foo.service : {F}
U/o.service : {S}
E/multi-user.target.wants/foo.service : -> /usr/lib/systemd/system/o.service
= alias noext
U/a.service : {S}[Install]\nAlias=z\n
= alias bad chars
U/a.service : {S}[Install]\nAlias=z+.service y%Q.service x%%.service\n
= alias bad type
U/a.service : {S}[Install]\nAlias=z.bogus\n
= alias wants variants
U/a.service : {S}[Install]\nAlias=x.target.requires/a.service y.target.upholds/a.service z.target.foo/a.service q.target.wants/b/a.service /abs/a.service\n
= alias wants variants t
U/a@.service : {S}[Install]\nAlias=x.target.requires/a@.service x.target.wants/a@z.service x.target.wants/b@z.service\nDefaultInstance=q\n
= alias wants variants t2
U/a@.service : {S}[Install]\nAlias=x.target.requires/a@.service x.target.wants/a@z.service\n
P/1.preset : enable a@.service z k\n
= reset Also
U/a.service : {F}Also=b.service\nAlso=\nAlso=c.service\n
U/b.service : {S}[Install]\nWantedBy=b.target
U/c.service : {S}[Install]\nWantedBy=c.target
P/1.preset : enable a.service\ndisable *\n
= reset Alias
U/a.service : {F}Alias=b.service\nAlias=\nAlias=c.service\nRequiredBy=x.target\nRequiredBy=\n
P/1.preset : enable a.service\ndisable *\n
= partial bad quote
U/a.service : {S}[Install]\nWantedBy=a.target "b.target\nWantedBy=c.target\nAlso=q.service "x\n
U/q.service : {F}
P/1.preset : enable a.service\ndisable *\n
= esc quotes
U/a.service : {S}[Install]\nWantedBy=a\\"b.target c.target\n
= mid quotes
U/a.service : {S}[Install]\nWantedBy=a"b".target "c".target\n
= trailing bs ws
U/a.service : {S}[Install]\nWantedBy=a.target \\ \n b.target\nRequiredBy=z.target\\\\\n
= comment bs
U/a.service : {S}[Install]\n# x \\\nWantedBy=a.target \\\n ; foo\n\n b.target\n
= cont empty
U/a.service : {S}[Install]\nWantedBy=a.target \\\n\n b.target\n
= dup also in dropin
U/a.service : {F}Also=b.service\n
U/a.service.d/1.conf : [Install]\nAlso=c.service\n
U/b.service : {S}[Install]\nWantedBy=b.target
U/c.service : {S}[Install]\nWantedBy=c.target
P/1.preset : enable a.service\ndisable *\n
= static also
U/a.service : {S}[Install]\nAlso=b.service\nDefaultInstance=%i\n
U/b.service : {S}[Install]\nWantedBy=b.target
P/1.preset : enable a.service\ndisable *\n
= template no inst also
U/a@.service : {S}[Install]\nAlso=b@%i.service b@x.service\n
U/b@.service : {S}[Install]\nWantedBy=b.target
P/1.preset : enable a@.service\ndisable *\n
= template def also
U/a@.service : {S}[Install]\nDefaultInstance=r\nAlso=b@%i.service\nAlias=q@%i.service\n
U/b@.service : {S}[Install]\nWantedBy=b.target
P/1.preset : enable a@.service\ndisable *\n
= template def spec
U/a-b@.service : {S}[Install]\nDefaultInstance=r\nWantedBy=%n-%N-%p-%j-%i.target %u-%U-%g-%G.target\n
= template def %
U/a-b@.service : {S}[Install]\nDefaultInstance=%p\nWantedBy=q.target\n
= linked in usr dis
usr/share/foo.service : {F}
U/foo.service : -> /usr/share/foo.service
E/foo.service : -> /usr/share/foo.service
E/multi-user.target.wants/foo.service : -> /usr/share/foo.service
P/1.preset : disable *\n
= linked in usr other
usr/share/foo.service : {F}
U/bar.service : -> /usr/share/foo.service
= linked template
opt/foo@.service : {F}DefaultInstance=d\n
E/foo@.service : -> /opt/foo@.service
E/goo@x.service : -> /opt/foo@.service
= linked to subdir
U/sub/foo.service : {F}
U/foo.service : -> sub/foo.service
= long name link
U/foo.service : {S}[Install]\nWantedBy=yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy.target\n
= long name link2
U/foo.service : {S}[Install]\nWantedBy=yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy.target\n
= linked from etc with alias
opt/foo.service : {F}Alias=al.service\n
E/foo.service : -> /opt/foo.service
= linked from usr with alias
opt/foo.service : {F}Alias=al.service x.target.requires/bar.service\n
U/bar.service : -> /opt/foo.service
= linked template with alias
opt/foo@.service : {F}Alias=al@.service\nDefaultInstance=d\n
U/foo@.service : -> /opt/foo@.service
= default instance masked
U/getty@.service : {S}[Install]\nWantedBy=getty.target\nDefaultInstance=tty1\nAlias=autovt@.service\n
P/1.preset : enable getty@.service\ndisable *\n
E/getty@tty1.service : -> /dev/null
= default instance empty mask
U/getty@.service : {S}[Install]\nWantedBy=getty.target\nRequiredBy=q.target\nDefaultInstance=tty1\n
U/getty@tty1.service : 
= default instance masked, disabled by preset
U/getty@.service : {S}[Install]\nWantedBy=getty.target\nDefaultInstance=tty1\n
P/1.preset : disable *\n
E/getty@tty1.service : -> /dev/null
E/getty.target.wants/getty@tty1.service : -> /usr/lib/systemd/system/getty@.service
= default instance alias
U/getty@.service : {S}[Install]\nWantedBy=getty.target\nDefaultInstance=tty1\n
U/other@.service : {S}
E/getty@tty1.service : -> /usr/lib/systemd/system/other@.service
= default instance dangling
U/getty@.service : {S}[Install]\nWantedBy=getty.target\nDefaultInstance=tty1\n
E/getty@tty1.service : -> /gone/other@.service
= default instance loop
U/getty@.service : {S}[Install]\nWantedBy=getty.target\nDefaultInstance=tty1\n
E/getty@tty1.service : -> getty@tty1.service
= default instance dir
U/getty@.service : {S}[Install]\nWantedBy=getty.target\nDefaultInstance=tty1\n
E/getty@tty1.service/x : y
= list x masked then y
U/foo@.service : {F}
P/1.preset : enable foo@.service x y\ndisable *\n
E/foo@x.service : -> /dev/null
= list y then x masked then z
U/foo@.service : {F}
P/1.preset : enable foo@.service y x z\ndisable *\n
E/foo@x.service : -> /dev/null
= list x, default instance of same template masked
U/foo@.service : {F}DefaultInstance=x\n
P/1.preset : enable foo@.service y\ndisable *\n
E/foo@x.service : -> /dev/null
= also default masked
U/a.service : {F}Also=foo@.service\n
U/foo@.service : {F}DefaultInstance=x\n
P/1.preset : enable a.service\ndisable *\n
E/foo@x.service : -> /dev/null
= also instance masked
U/a.service : {F}Also=foo@x.service b.service\n
U/b.service : {F}
U/foo@.service : {F}
P/1.preset : enable a.service\ndisable *\n
E/foo@x.service : -> /dev/null
= alias of template with default masked elsewhere
U/foo@.service : {S}[Install]\nAlias=al@.service\nDefaultInstance=x\n
E/al@x.service : -> /dev/null
= alias place masked
U/foo@.service : {S}[Install]\nAlias=al@x.service\nWantedBy=m.target\nDefaultInstance=x\n
E/al@x.service : -> /dev/null
= alias of a unit shadowed by a mask
U/foo.service : {F}
U/al.service : -> foo.service
E/foo.service : -> /dev/null
= alias of a unit shadowed by a mask 2
U/foo.service : {F}Alias=al.service\n
E/al.service : -> /usr/lib/systemd/system/foo.service
E/foo.service : -> /dev/null
= alias of a unit shadowed by a mask dis
U/foo.service : {F}Alias=al.service\n
P/1.preset : disable *\n
E/al.service : -> /usr/lib/systemd/system/foo.service
E/foo.service : -> /dev/null
E/q.wants/foo.service : -> /usr/lib/systemd/system/foo.service
E/q.wants/al.service : -> /usr/lib/systemd/system/al.service
= alias mask, etc alias of usr alias
U/foo.service : {F}
U/al.service : -> foo.service
E/bl.service : -> /usr/lib/systemd/system/al.service
E/foo.service : -> /dev/null
= alias to template whose instance masked
U/foo@.service : {F}
U/al@.service : -> foo@.service
P/1.preset : enable al@.service x\nenable foo@.service x\n
E/foo@x.service : -> /dev/null
= alias to template, alias instance masked
U/foo@.service : {F}
U/al@.service : -> foo@.service
P/1.preset : enable foo@.service x\n
E/al@x.service : -> /dev/null
= also alias masked target
U/a.service : {F}Also=al.service\n
U/al.service : -> foo.service
U/foo.service : {F}
E/foo.service : -> /dev/null
= dir shadows unit
U/a.service : {F}
U/b.service : {F}
E/a.service/x : y
= dir shadows also
U/a.service : {F}Also=b.service\n
U/b.service : {F}
usr/local/lib/systemd/system/b.service/x : y
P/1.preset : enable a.service\ndisable *
= default instance own-name link
U/getty@.service : {S}[Install]\nWantedBy=getty.target\nDefaultInstance=tty1\n
E/getty@tty1.service : -> /usr/lib/systemd/system/getty@tty1.service
= default instance own template
U/getty@.service : {S}[Install]\nWantedBy=getty.target\nDefaultInstance=tty1\n
E/getty@tty1.service : -> /usr/lib/systemd/system/getty@.service
= default instance of other kind link
U/getty@.service : {S}[Install]\nWantedBy=getty.target\nDefaultInstance=tty1\n
E/getty@tty1.service : -> /usr/lib/systemd/system/x.socket
= default instance linked outside
U/getty@.service : {S}[Install]\nWantedBy=getty.target\nDefaultInstance=tty1\n
opt/z.service : {S}
E/getty@tty1.service : -> /opt/z.service
= default instance outside masked
U/getty@.service : {S}[Install]\nWantedBy=getty.target\nDefaultInstance=tty1\n
opt/z.service : -> /dev/null
E/getty@tty1.service : -> /opt/z.service
= default instance outside empty
U/getty@.service : {S}[Install]\nWantedBy=getty.target\nDefaultInstance=tty1\n
opt/z.service : 
E/getty@tty1.service : -> /opt/z.service
= default instance alias of masked
U/getty@.service : {S}[Install]\nWantedBy=getty.target\nDefaultInstance=tty1\n
E/getty@tty1.service : -> /usr/lib/systemd/system/o@.service
U/o@.service : -> /dev/null
= default instance file
U/getty@.service : {S}[Install]\nWantedBy=getty.target\nDefaultInstance=tty1\n
U/getty@tty1.service : {S}
= default chain to null
U/getty@.service : {S}[Install]\nWantedBy=getty.target\nDefaultInstance=tty1\n
E/getty@tty1.service : -> n.service
E/n.service : -> /dev/null
= linked opt, disabled
opt/foo.service : {F}
E/foo.service : -> /opt/foo.service
P/1.preset : disable *
= linked host path that is unit
E/foo.service : -> /usr/share/foo.service
usr/share/foo.service : {F}
= linked etc hosts
E/foo.service : -> /etc/hosts
etc/hosts : {F}
= linked relative out
E/foo.service : -> ../../hosts
etc/hosts : {F}
= list of a template linked from etc
opt/t@.service : {F}
E/t@.service : -> /opt/t@.service
P/1.preset : enable t@.service x\n
= list of a template linked from usr
opt/t@.service : {F}
U/t@.service : -> /opt/t@.service
P/1.preset : enable t@.service x\n
"##;
