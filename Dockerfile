# First stage: the wheel, and a virtual environment that holds it and all it needs, but no pip.
FROM python:3.13-slim AS build
WORKDIR /src
COPY . .
RUN python -m venv --without-pip /venv \
    && pip wheel --no-cache-dir --no-deps --wheel-dir /dist . \
    && pip --python /venv install --no-cache-dir /dist/*.whl

# Final stage: Python and that environment. The image's own pip is no use at run time, only to an intruder.
FROM python:3.13-slim
RUN rm -rf /usr/local/bin/pip* /usr/local/lib/python3.13/ensurepip /usr/local/lib/python3.13/site-packages/pip*
COPY --from=build /venv /venv
# STUNner's Helm chart starts `/manager --flags`.
RUN ln -s /venv/bin/stunnergw /manager
ENV PYTHONUNBUFFERED=1
# Not root, and a number, so that Kubernetes can tell (runAsNonRoot).
USER 65532:65532
# Configurations, health, metrics. Inspection (8082) listens on localhost alone.
EXPOSE 13478 8081 8080
ENTRYPOINT ["/manager"]
# Arguments replace this; flags without a command mean `run` too.
CMD ["run"]
