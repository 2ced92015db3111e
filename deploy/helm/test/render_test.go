// Package test renders the chart as Helm does, for the ways in which it is
// meant to be used, and holds every document to Kubernetes' own types,
// strictly: a field that Kubernetes does not know is a failure here, and not
// something that it silently drops. Then it checks what types do not tell, such
// as that every port, secret and label that is named exists, and that the
// server itself accepts the options that the pods give it.
//
// It is a module of its own, so that the product does not depend on Helm.
// `go test ./... -update` writes what is generated from values.yaml: the
// schema, and the table in docs/ops/kubernetes.md.
package test

import (
	"bytes"
	"fmt"
	"path"
	"sort"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"sigs.k8s.io/yaml"
)

const (
	chartDir  = "../skein"
	release   = "talk"
	namespace = "chat"
)

// usage is one way to use the chart.
type usage struct {
	values string
	kinds  string            // of what it renders, sorted
	secret map[string]string // what is there already: secret/key
}

const base = `
image: {repository: registry.example.com/skein}
database: {existingSecret: pg}
secretKey: {existingSecret: seal}
`

// plain is base on a network that encrypts by itself.
const plain = base + "cluster: {plain: true}\n"

var usages = map[string]usage{
	"three nodes with nothing set that need not be": {
		values: plain,
		kinds:  "ConfigMap NetworkPolicy Pod PodDisruptionBudget Service Service ServiceAccount StatefulSet",
		secret: map[string]string{"pg": "url", "seal": "key"},
	},
	"everything on": {
		values: `
replicas: 5
image: {repository: registry.example.com/skein, digest: "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", pullSecrets: [pull]}
config: {log: {level: debug}, limits: {connections: 200000, queue_bytes: 2097152, ping_interval: 20s}, allowed_origins: ["https://shop.example"], postgres: {conns: 40}}
database: {existingSecret: pg, key: dsn, caConfigMap: pg-ca}
secretKey: {existingSecret: seal, key: master}
tls: {existingSecret: front}
cluster: {tls: {certManager: {enabled: true, issuerRef: {name: private, kind: ClusterIssuer}}}}
drain: {delaySeconds: 5, spreadSeconds: 120, timeoutSeconds: 300}
service: {type: LoadBalancer, port: 443, annotations: {a: b}, loadBalancerSourceRanges: [192.0.2.0/24], externalTrafficPolicy: Local, loadBalancerClass: x/y}
ingress: {enabled: true, className: nginx, hosts: [chat.example.com, im.example.com], tlsSecret: front}
autoscaling: {enabled: true}
calls: {enabled: true, port: 7900, address: "auto,203.0.113.9"}
networkPolicy:
  clients: [{namespaceSelector: {matchLabels: {name: ingress}}}]
  metrics: [{namespaceSelector: {matchLabels: {name: monitoring}}}]
  egress: [{ports: [{port: 5432, protocol: TCP}], to: [{ipBlock: {cidr: 10.9.0.0/16}}]}]
serviceAccount: {annotations: {eks.amazonaws.com/role-arn: "arn:aws:iam::1:role/x"}}
serviceMonitor: {enabled: true, labels: {release: prom}}
podAnnotations: {x: one}
podLabels: {team: chat}
nodeSelector: {kubernetes.io/arch: arm64}
tolerations: [{key: chat, operator: Exists}]
affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, preference: {matchExpressions: [{key: x, operator: Exists}]}}]}}
priorityClassName: high
topologySpreadConstraints: [{maxSkew: 1, topologyKey: rack, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {team: chat}}}]
extraEnv: [{name: TZ, value: Europe/Berlin}]
extraVolumes: [{name: more, emptyDir: {}}]
extraVolumeMounts: [{name: more, mountPath: /more}]
`,
		kinds:  "Certificate ConfigMap HorizontalPodAutoscaler Ingress NetworkPolicy Pod PodDisruptionBudget Service Service ServiceAccount ServiceMonitor StatefulSet",
		secret: map[string]string{"pg": "dsn", "seal": "master", "pull": ".dockerconfigjson", "front": "tls.crt"},
	},
	"certificates between the nodes from a secret": {
		values: base + "cluster: {tls: {existingSecret: routes}, domain: example.internal, port: 7000}\nadmin: {port: 9999}\n",
		kinds:  "ConfigMap NetworkPolicy Pod PodDisruptionBudget Service Service ServiceAccount StatefulSet",
		secret: map[string]string{"pg": "url", "seal": "key", "routes": "ca.crt"},
	},
	"a NATS of one's own": {
		values: base + "cluster: {nats: {existingSecret: nats}, callsPort: 7001}\nreplicas: 2\ncalls: {enabled: true}\n",
		kinds:  "ConfigMap NetworkPolicy Pod PodDisruptionBudget Service Service ServiceAccount StatefulSet",
		secret: map[string]string{"pg": "url", "seal": "key", "nats": "url"},
	},
	"one node on SQLite": {
		values: "replicas: 1\nimage: {repository: registry.example.com/skein, tag: v9}\ndatabase: {sqlite: true}\npersistence: {size: 100Gi, storageClass: fast}\n",
		kinds:  "ConfigMap NetworkPolicy Pod Service Service ServiceAccount StatefulSet",
	},
	"as little as possible": {
		values: base + "replicas: 1\nnetworkPolicy: {enabled: false}\nserviceAccount: {create: false}\npodDisruptionBudget: {enabled: false}\nbehindProxy: {networks: [10.3.0.0/24]}\n",
		kinds:  "ConfigMap Pod Service Service StatefulSet",
		secret: map[string]string{"pg": "url", "seal": "key"},
	},
}

// render returns the chart's files, by their names.
func render(values string) (map[string]string, error) {
	chart, err := loader.Load(chartDir)
	if err != nil {
		return nil, err
	}
	given, err := chartutil.ReadValues([]byte(values))
	if err != nil {
		return nil, err
	}
	all, err := chartutil.ToRenderValues(chart, given, chartutil.ReleaseOptions{Name: release, Namespace: namespace, IsInstall: true}, nil)
	if err != nil {
		return nil, err
	}
	return engine.Render(chart, all)
}

// documents renders the chart and takes the files apart.
func documents(t *testing.T, values string) []string {
	t.Helper()
	files, err := render(values)
	if err != nil {
		t.Fatal(err)
	}
	var names, out []string
	for name := range files {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if path.Ext(name) != ".yaml" {
			continue
		}
		for _, doc := range strings.Split(files[name], "\n---\n") {
			var any map[string]interface{}
			if err := yaml.Unmarshal([]byte(doc), &any); err != nil {
				t.Fatalf("%s: %v\n%s", name, err, doc)
			}
			if len(any) > 0 {
				out = append(out, doc)
			}
		}
	}
	return out
}

// scheme knows the kinds that the chart may render.
func scheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		appsv1.AddToScheme, autoscalingv2.AddToScheme, corev1.AddToScheme, networkingv1.AddToScheme, policyv1.AddToScheme,
	} {
		if err := add(s); err != nil {
			t.Fatal(err)
		}
	}
	s.AddKnownTypeWithName(schema.GroupVersionKind{Group: "cert-manager.io", Version: "v1", Kind: "Certificate"}, &certificate{})
	s.AddKnownTypeWithName(schema.GroupVersionKind{Group: "monitoring.coreos.com", Version: "v1", Kind: "ServiceMonitor"}, &serviceMonitor{})
	return s
}

// decode turns documents into Kubernetes' types. Fields that these do not
// have, that stand twice, or whose letters differ in case are errors.
func decode(t *testing.T, docs []string) (objects []runtime.Object, errs []error) {
	t.Helper()
	s := scheme(t)
	strict := json.NewSerializerWithOptions(json.DefaultMetaFactory, s, s, json.SerializerOptions{Yaml: true, Strict: true})
	for _, doc := range docs {
		o, _, err := strict.Decode([]byte(doc), nil, nil)
		if err != nil {
			errs = append(errs, fmt.Errorf("%w in\n%s", err, doc))
			continue
		}
		objects = append(objects, o)
	}
	return objects, errs
}

func kinds(objects []runtime.Object) string {
	var out []string
	for _, o := range objects {
		out = append(out, o.GetObjectKind().GroupVersionKind().Kind)
	}
	sort.Strings(out)
	return strings.Join(out, " ")
}

func TestEveryUsageRendersDocumentsThatKubernetesKnowsAndThatFitTogether(t *testing.T) {
	for name, u := range usages {
		t.Run(name, func(t *testing.T) {
			objects, errs := decode(t, documents(t, u.values))
			for _, err := range errs {
				t.Error(err)
			}
			if got := kinds(objects); got != u.kinds {
				t.Errorf("rendered are\n%s, want\n%s", got, u.kinds)
			}
			for _, problem := range check(objects, u.secret) {
				t.Error(problem)
			}
		})
	}
}

func TestHelmsOwnLintFindsNothing(t *testing.T) {
	for name, u := range usages {
		values, err := chartutil.ReadValues([]byte(u.values))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range lint.AllWithKubeVersion(chartDir, values, namespace, nil).Messages {
			// An icon is a link to a picture on somebody's server.
			if m.Severity > support.InfoSev || !strings.Contains(m.Err.Error(), "icon") {
				t.Errorf("%s: %s", name, m)
			}
		}
	}
}

func TestWhatWouldLoseDataOrNotStartIsRefusedWithAReason(t *testing.T) {
	for values, want := range map[string]string{
		"":                                   "image.repository",
		"image: {repository: x}":             "database.existingSecret",
		"replica: 3\n" + plain:               "replica",
		"replicas: three\n" + plain:          "replicas",
		plain + "config: {listen: x}":        "config.listen",
		plain + "config: {dev: true}":        "config.dev",
		plain + "config: {db: x}":            "config.db",
		plain + "ingress: {enabled: true}":   "ingress.hosts",
		plain + "drain: {timeoutSeconds: 5}": "drain.timeoutSeconds",
		base:                                 "cluster.plain",
		base + "cluster: {tls: {certManager: {enabled: true}}}":                                       "issuerRef",
		"image: {repository: x}\ndatabase: {existingSecret: x}":                                       "secretKey.existingSecret",
		"image: {repository: x}\ndatabase: {sqlite: true}":                                            "one node only",
		"image: {repository: x}\nreplicas: 1\ndatabase: {sqlite: true}\nautoscaling: {enabled: true}": "one node only",
		"image: {repository: x}\nreplicas: 1\ndatabase: {sqlite: true, existingSecret: x}":            "either",
	} {
		if _, err := render(values); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", values, err)
		}
	}
}

// breaches are single edits of what is rendered, each of which some check has
// to notice: a check that can not fail says nothing.
var breaches = map[string][2]string{
	"a field that does not exist":             {"automountServiceAccountToken: false\n      #", "automountServiceAccountTokens: false\n      #"},
	"a field in the wrong case":               {"serviceName:", "servicename:"},
	"a field that stands twice":               {"clusterIP: None", "clusterIP: None\n  clusterIP: None"},
	"a value of the wrong type":               {"replicas: 3", "replicas: \"3\""},
	"a secret that nobody made":               {"name: pg", "name: pq"},
	"a key that the secret does not have":     {"key: url", "key: uri"},
	"labels that the pods do not have":        {"matchLabels:\n      app.kubernetes.io/name: skein", "matchLabels:\n      app.kubernetes.io/name: skain"},
	"a service that finds no pod":             {"clusterIP: None\n  publishNotReadyAddresses: true\n  selector:\n    app.kubernetes.io/name: skein", "clusterIP: None\n  publishNotReadyAddresses: true\n  selector:\n    app.kubernetes.io/name: skain"},
	"a port that no container has":            {"targetPort: http", "targetPort: htttp"},
	"a probe of a port that is not there":     {"port: admin\n            periodSeconds: 10", "port: amdin\n            periodSeconds: 10"},
	"a policy for a port that is not there":   {"- port: admin\n          protocol", "- port: amdin\n          protocol"},
	"a headless service of another name":      {"serviceName: talk-skein-nodes", "serviceName: talk-skein-node"},
	"a volume that is mounted and not there":  {"- name: tmp\n          emptyDir", "- name: temp\n          emptyDir"},
	"a ConfigMap of another name":             {"configMap:\n            name: talk-skein", "configMap:\n            name: talk-skien"},
	"less time to end than the drain takes":   {"terminationGracePeriodSeconds: 70", "terminationGracePeriodSeconds: 30"},
	"a peer that does not exist":              {"- talk-skein-2.", "- talk-skein-3."},
	"a peer at another port":                  {"svc.cluster.local:6222", "svc.cluster.local:6223"},
	"an option that the server does not know": {"allow_remote: true", "allow_remotely: true"},
	"a pod that runs as root":                 {"runAsNonRoot: true\n        runAsUser: 65532\n        runAsGroup", "runAsUser: 0\n        runAsGroup"},
	"a disk that can be written to":           {"readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"},
	"a command that is none":                  {"args: [serve]", "args: [server]"},
	"Kubernetes' own variables":               {"enableServiceLinks: false", "enableServiceLinks: true"},
	"an account that nobody made":             {"serviceAccountName: talk-skein", "serviceAccountName: talk-skien"},
}

func TestEachCheckNoticesWhatItIsFor(t *testing.T) {
	u := usages["three nodes with nothing set that need not be"]
	whole := strings.Join(documents(t, u.values), "\n---\n")
	for name, b := range breaches {
		if !strings.Contains(whole, b[0]) {
			t.Errorf("%s: there is no %q any more", name, b[0])
			continue
		}
		objects, errs := decode(t, strings.Split(strings.Replace(whole, b[0], b[1], 1), "\n---\n"))
		if len(errs) == 0 && len(check(objects, u.secret)) == 0 {
			t.Errorf("%s goes unnoticed", name)
		}
	}
}

func TestNothingThatLooksLikeASecretIsRenderedByDefault(t *testing.T) {
	for name, u := range usages {
		for _, doc := range documents(t, u.values) {
			if strings.Contains(doc, "kind: Secret") || bytes.Contains([]byte(doc), []byte("postgres://")) {
				t.Errorf("%s:\n%s", name, doc)
			}
		}
	}
}

// certificate is the part of cert-manager's type that the chart uses.
type certificate struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              struct {
		SecretName  string           `json:"secretName"`
		Duration    *metav1.Duration `json:"duration,omitempty"`
		RenewBefore *metav1.Duration `json:"renewBefore,omitempty"`
		PrivateKey  struct {
			Algorithm      string `json:"algorithm"`
			Size           int    `json:"size"`
			RotationPolicy string `json:"rotationPolicy"`
		} `json:"privateKey"`
		Usages    []string `json:"usages"`
		DNSNames  []string `json:"dnsNames"`
		IssuerRef struct {
			Name  string `json:"name"`
			Kind  string `json:"kind"`
			Group string `json:"group"`
		} `json:"issuerRef"`
	} `json:"spec"`
}

// DeepCopyObject implements runtime.Object; nobody copies one here.
func (c *certificate) DeepCopyObject() runtime.Object { d := *c; return &d }

// serviceMonitor is the part of the Prometheus Operator's type that the chart
// uses.
type serviceMonitor struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              struct {
		Selector  metav1.LabelSelector `json:"selector"`
		Endpoints []struct {
			Port     string `json:"port"`
			Path     string `json:"path"`
			Interval string `json:"interval"`
		} `json:"endpoints"`
	} `json:"spec"`
}

// DeepCopyObject implements runtime.Object; nobody copies one here.
func (m *serviceMonitor) DeepCopyObject() runtime.Object { d := *m; return &d }
