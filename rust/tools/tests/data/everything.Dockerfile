# syntax=docker/dockerfile:1
ARG BASE_IMAGE
ARG FLAVOUR=plain
FROM ${BASE_IMAGE} AS build
ARG FLAVOUR
ARG WITH=x${FLAVOUR}y OTHER
ENV A=1 B="two words" C=$WITH
ENV D=${A}${NOPE:-def}${A:+alt}
WORKDIR /job/in
USER app
WORKDIR sub
RUN id -u > uid; id -g > gid; echo "$A|$B|$C|$D|$WITH|$FLAVOUR|$HOME|$PATH" > env; pwd > pwd
RUN ["sh", "-c", "echo exec \"$A\" > exec"]
USER root
RUN <<EOF
echo one > /one
echo "two $A" > /two
EOF
RUN cat <<EOF > /three && cat <<'EOT' > /four
$A in shell
EOF
$A raw
EOT
RUN <<-EOF
	echo tab > /tabbed
	EOF
RUN mkdir -p /out/d && echo f > /out/d/f && ln /out/d/f /out/d/g && ln -s f /out/d/l && chmod 4755 /out/d/f \
    # a comment inside
    && chown 5:6 /out/d && chmod 2750 /out/d

FROM scratch AS data
COPY a.txt b.txt /data/

FROM build AS unused
RUN false

FROM ${BASE_IMAGE}
LABEL a=b "c d"="e f"
ENV DST=/dst
COPY a.txt /plain
COPY a.txt ${DST}/
COPY dir /newdir
COPY dir /home/app
COPY --chown=app dir/x.sh /owned/deep/x
COPY --chown=1234 --chmod=0640 a.txt b.txt /numeric/
COPY --chown=app:staff --chmod=4751 dir /chowned
COPY --chown=77:staff c.conf /mixed
COPY wild/* /wilds/
COPY [ "a.txt", "b.tx[t]", "/json dir/" ]
COPY <<EOF /heredoc.txt
dst is $DST
EOF
COPY --chmod=755 <<"EOF" <<TWO /heredocs/
raw $DST
EOF
two ${DST:-no}
TWO
COPY --from=build /out /out
COPY --from=build --chown=9:9 /out/d/l /out-l
COPY --from=0 /job /job
COPY --from=data /data/ /data
COPY a.txt /lib/through-link
COPY b.txt /etc/real
WORKDIR /made/dir
COPY c.conf .
COPY c.conf rel
COPY ?.txt ./q/
RUN --network=none ls -la / > /dev/null; echo tmp > /tmp/t; cat /tmp/t > /from-tmp
RUN echo noise; echo err >&2
