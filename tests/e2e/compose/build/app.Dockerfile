FROM busybox AS first
ARG COLOUR=none
RUN echo "$COLOUR" > /colour
FROM busybox AS final
COPY --from=first /colour /colour
COPY message /message
CMD ["sleep", "1000"]
