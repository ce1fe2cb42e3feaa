# Thin: each word is one command. `make demo` and `make test` are the README's two commands.

IMG ?= localhost/stunnergw:latest
MODE ?= managed
NAME = stunner-gateway-operator-controller-manager

.PHONY: help demo test install uninstall deploy undeploy deploy/local podman-build podman-push

help:                ## this list
	@sed -n 's/^\([a-z-]*\):.*##/\1\t/p' Makefile

demo:                ## ten seconds of stunnergw, without a cluster
	@bash -euc "$$(python3 tests/house/fences.py README.md demo)"

test:                ## the tests
	@bash -euc "$$(python3 tests/house/fences.py README.md test)"

install:             ## our CRDs, into the cluster that kubectl points to
	kubectl apply --server-side --force-conflicts -k deploy/crds

uninstall:           ## take our CRDs out again, and with them every object of their kinds
	kubectl delete --ignore-not-found -k deploy/crds

deploy: deploy/local ## the operator: IMG=<my-image> make deploy; MODE=legacy for legacy mode
	kubectl apply --server-side -k deploy/local

undeploy: deploy/local ## take the operator out again; CRDs, and all that was made with them, stay
	kubectl delete --ignore-not-found -k deploy/local

# Not in the repository: deploy/managed or deploy/legacy, with your image.
deploy/local:
	@mkdir -p $@
	@printf '%s\n' 'resources: [../$(MODE)]' 'patches:' '- target: {kind: Deployment, name: $(NAME)}' '  patch: |-' \
	    '    - {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "$(IMG)"}' > $@/kustomization.yaml

podman-build:        ## the image: IMG=<my-image> make podman-build
	podman build --tag $(IMG) .

podman-push:         ## IMG=<my-image> make podman-push
	podman push $(IMG)
