# The image of `driftsonde run`. Libraries are the ones of deploy/requirements.lock, checked by hash.
FROM python:3.13-slim AS build
COPY deploy/requirements.lock /src/deploy/
RUN python -m venv /opt/driftsonde && /opt/driftsonde/bin/pip install --no-cache-dir --require-hashes -r /src/deploy/requirements.lock
COPY . /src
RUN /opt/driftsonde/bin/pip install --no-cache-dir --no-deps /src

FROM python:3.13-slim
COPY --from=build /opt/driftsonde /opt/driftsonde
ENV PATH=/opt/driftsonde/bin:$PATH PYTHONUNBUFFERED=1
WORKDIR /var/lib/driftsonde
RUN chown 10001:10001 /var/lib/driftsonde
USER 10001:10001
EXPOSE 6066
STOPSIGNAL SIGTERM
ENTRYPOINT ["driftsonde"]
CMD ["run", "--http", "0.0.0.0:6066"]
