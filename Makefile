# Thin: each word is one command. `make demo` and `make test` are the README's two commands.

IMG ?= localhost/stunnergw:latest

.PHONY: help demo test install uninstall deploy undeploy podman-build podman-push

help:                ## this list
	@sed -n 's/^\([a-z-]*\):.*##/\1\t/p' Makefile

demo:                ## ten seconds of stunnergw, without a cluster
	@bash -euc "$$(python3 tests/house/fences.py README.md demo)"

test:                ## the tests
	@bash -euc "$$(python3 tests/house/fences.py README.md test)"

install:             ## our CRDs, into the cluster that kubectl points to
	kubectl apply --server-side -f deploy/crds

uninstall:           ## take our CRDs out again, and with them every object of their kinds
	kubectl delete --ignore-not-found -f deploy/crds

deploy: deploy/default    ## the operator
	kubectl apply --server-side -f deploy/default

undeploy: deploy/default  ## take the operator out again
	kubectl delete --ignore-not-found -f deploy/default

deploy/default:
	@echo 'deploy/default is not there yet: there are no manifests of the operator to apply' >&2; exit 1

podman-build:        ## the image: IMG=<my-image> make podman-build
	podman build --tag $(IMG) .

podman-push:         ## IMG=<my-image> make podman-push
	podman push $(IMG)
